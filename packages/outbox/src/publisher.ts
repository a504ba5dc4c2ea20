import { eventSubject } from '@novacron/contracts/events';
import { toBytes, type StoredEvent } from './stored-event.js';

/** Publishes one message durably; resolves when the stream has it. A repeated `id` is stored once. */
export type Publish = (subject: string, payload: Uint8Array, id: string) => Promise<void>;

export interface PublisherOptions {
  readonly publish: Publish;
  /** Reads numbered events after `seq` from the table, in order. */
  readonly read: (seq: number) => Promise<StoredEvent[]>;
  /** Told when more is published. */
  readonly onProgress: () => void;
  readonly onError: (error: unknown) => void;
}

/** Events on their way to the stream at one time. */
const IN_FLIGHT = 256;
/** Numbered events kept in memory; beyond it they are read from the table again. */
const QUEUE_SIZE = 2_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

/**
 * Publishes numbered events in the order of their numbers, up to 256 at once. While the stream refuses them
 * they wait in Postgres; after a failure it starts again behind the last number below which all are stored.
 */
export class Publisher {
  #published: number;
  #numbered: number;
  #queue: StoredEvent[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;
  #wakeRetry: () => void = () => undefined;

  constructor(
    private readonly options: PublisherOptions,
    counter: { seq: number; published: number },
  ) {
    this.#numbered = counter.seq;
    this.#published = counter.published;
    this.#kick();
  }

  /** Every event up to this number is in the stream. */
  get published(): number {
    return this.#published;
  }

  get numbered(): number {
    return this.#numbered;
  }

  /** Takes the events of a claim, in order. */
  offer(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (!last) return;
    const follows = (this.#queue.at(-1)?.seq ?? this.#published) + 1 === events[0]?.seq;
    if (follows && this.#queue.length + events.length <= QUEUE_SIZE) this.#queue.push(...events);
    this.#numbered = last.seq;
    this.#kick();
  }

  /** Publishes what is in hand, gives up what the stream does not take, and resolves when it is quiet. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakeRetry();
    await this.#running;
  }

  #kick(): void {
    if (this.#running || this.#stopped || this.#published >= this.#numbered) return;
    this.#running = this.#pump().finally(() => {
      this.#running = null;
      this.#kick();
    });
  }

  async #pump(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (this.#published < this.#numbered && !this.#stopped) {
      try {
        await this.#publish(await this.#next());
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        this.options.onError(error);
        this.#queue = [];
        await this.#pause(retryMs);
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
      }
    }
  }

  async #next(): Promise<StoredEvent[]> {
    if (this.#queue[0]?.seq === this.#published + 1) return this.#queue.splice(0, IN_FLIGHT);
    this.#queue = [];
    return (await this.options.read(this.#published)).slice(0, IN_FLIGHT);
  }

  async #publish(events: readonly StoredEvent[]): Promise<void> {
    const outcomes = await Promise.allSettled(
      events.map((row) => {
        const subject = eventSubject({
          tenantId: row.tenant_id,
          kind: row.kind,
          resourceId: row.resource_id,
        });
        return this.options.publish(subject, toBytes(row), row.id);
      }),
    );
    const failed = outcomes.findIndex((outcome) => outcome.status === 'rejected');
    const last = events[(failed === -1 ? events.length : failed) - 1];
    if (last) {
      this.#published = last.seq;
      this.options.onProgress();
    }
    if (failed !== -1) throw (outcomes[failed] as PromiseRejectedResult).reason;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeRetry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
