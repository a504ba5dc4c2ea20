import { Backoff } from '@novacron/async/backoff';
import { Attempts } from './attempts.js';
import { toBytes, type StoredEvent } from './stored-event.js';
import { judged, subjectOfRow, Unpublishable, type SetAsideReason } from './unpublishable.js';

/** Publishes one message durably; resolves when the stream has stored it. A repeated `id` is stored once. */
export type Publish = (subject: string, payload: Uint8Array, id: string) => Promise<void>;

export interface PublisherOptions {
  readonly publish: Publish;
  /** Reads numbered events after `seq` from the table, in order. */
  readonly read: (seq: number) => Promise<StoredEvent[]>;
  /** Notes that the event is not published, and why; consumers that miss it fetch it from the table. */
  readonly setAside: (row: StoredEvent, reason: SetAsideReason, cause: unknown) => Promise<void>;
  /** Told when more is published. */
  readonly onProgress: () => void;
  readonly onError: (error: unknown) => void;
}

/** Events on their way to the stream at one time. */
const IN_FLIGHT = 256;
/** Numbered events kept in memory; beyond it they are read from the table again. */
const QUEUE_SIZE = 2_000;
const RETRIES = { firstMs: 100, maxMs: 2_000 };

/**
 * The stream stores one id once within two minutes. An event that is numbered again after a promotion, since its
 * first number was lost, is another message: consumers passed over the first, which is of the lost history.
 */
function messageId({ id, position }: StoredEvent): string {
  return `${id}@${position.slice(0, position.lastIndexOf('.'))}`;
}

/**
 * Publishes numbered events in the order of their numbers, up to 256 at once. While the stream refuses them
 * they wait in Postgres; after a failure it starts again behind the last number below which all are stored. An event
 * that can never be published is set aside, so that it stops none behind it.
 */
export class Publisher {
  readonly #attempts = new Attempts();
  /** Numbers above `published` that are set aside already: no later round tries or counts them again. */
  readonly #setAside = new Set<number>();
  #published: number;
  #numbered: number;
  #queue: StoredEvent[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;
  #connected: boolean;
  #interrupt: (reason: Error) => void = () => undefined;
  #endPause: () => void = () => undefined;

  constructor(
    private readonly options: PublisherOptions,
    counter: { seq: number; published: number },
    connected: boolean,
  ) {
    this.#connected = connected;
    this.#numbered = counter.seq;
    this.#published = counter.published;
    this.#kick();
  }

  /** Every event up to this number is in the stream, or set aside. */
  get published(): number {
    return this.#published;
  }

  get numbered(): number {
    return this.#numbered;
  }

  /** Takes the events of a batch, in order. */
  offer(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (!last) return;
    const follows = (this.#queue.at(-1)?.seq ?? this.#published) + 1 === events[0]?.seq;
    if (follows && this.#queue.length + events.length <= QUEUE_SIZE) this.#queue.push(...events);
    this.#numbered = last.seq;
    this.#kick();
  }

  /** The connection broke: events without an acknowledgement are published again when it is back. */
  disconnected(): void {
    this.#connected = false;
    this.#interrupt(new Error('the connection to NATS broke'));
  }

  reconnected(): void {
    this.#connected = true;
    this.#endPause();
  }

  /** Publishes the events in hand, gives up those that the stream does not take, and resolves when it is idle. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endPause();
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
    const backoff = new Backoff(RETRIES);
    while (this.#published < this.#numbered && !this.#stopped) {
      try {
        // A message that is sent without a connection is lost, without an error until its time limit.
        while (!this.#connected && !this.#stopped) await this.#until(() => undefined);
        if (this.#stopped) return;
        await this.#publish(await this.#next());
        backoff.reset();
      } catch (error) {
        this.options.onError(error);
        this.#queue = [];
        await this.#until((done) => setTimeout(done, backoff.next()).unref());
      }
    }
  }

  async #next(): Promise<StoredEvent[]> {
    if (this.#queue[0]?.seq === this.#published + 1) return this.#queue.splice(0, IN_FLIGHT);
    this.#queue = [];
    return (await this.options.read(this.#published)).slice(0, IN_FLIGHT);
  }

  /**
   * Resolves when each event is stored or set aside. On failure `published` still moves over those before the first
   * that is neither.
   */
  async #publish(events: readonly StoredEvent[]): Promise<void> {
    const stored = new Set<number>();
    const failed: StoredEvent[] = [];
    let interrupted = false;
    const unsettled = events.filter(({ seq }) => !this.#setAside.has(seq));
    const all = unsettled.map(async (row) => {
      try {
        if (await this.#publishOne(row)) stored.add(row.seq);
      } catch (error) {
        failed.push(row);
        throw error;
      }
    });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#interrupt = (reason) => {
          interrupted = true;
          reject(reason);
        };
        Promise.allSettled(all)
          .then(async (outcomes) => {
            // A later round publishes these events again: the outcome of this one proves nothing.
            if (interrupted) return;
            await this.#setAsideRefused(stored, failed);
            const failure = outcomes.find((outcome) => outcome.status === 'rejected');
            if (failure && failed.some(({ seq }) => !this.#setAside.has(seq)))
              reject(failure.reason as Error);
            else resolve();
          })
          .catch(reject);
      });
    } finally {
      this.#advance(events, stored);
    }
  }

  #advance(events: readonly StoredEvent[], stored: ReadonlySet<number>): void {
    const before = this.#published;
    for (const { seq } of events) {
      if (!stored.has(seq) && !this.#setAside.has(seq)) break;
      this.#published = seq;
    }
    if (this.#published === before) return;
    this.#attempts.passed(this.#published);
    for (const seq of this.#setAside) if (seq <= this.#published) this.#setAside.delete(seq);
    this.options.onProgress();
  }

  /** @returns true when the stream has acknowledged the event, false when the event is set aside */
  async #publishOne(row: StoredEvent): Promise<boolean> {
    try {
      await this.options.publish(subjectOfRow(row), toBytes(row), messageId(row));
      return true;
    } catch (error) {
      const cause = judged(error);
      if (!(cause instanceof Unpublishable)) throw cause;
      await this.#putAside(row, cause.reason, cause);
      return false;
    }
  }

  /** Sets aside events that the stream refused repeatedly while it stored others. */
  async #setAsideRefused(stored: ReadonlySet<number>, failed: readonly StoredEvent[]): Promise<void> {
    const refused = this.#attempts.note({ stored, failed: failed.map(({ seq }) => seq) });
    for (const row of failed.filter(({ seq }) => refused.includes(seq)))
      await this.#putAside(row, 'refused', new Error('the stream took others and not this one'));
  }

  async #putAside(row: StoredEvent, reason: SetAsideReason, cause: unknown): Promise<void> {
    await this.options.setAside(row, reason, cause);
    this.#setAside.add(row.seq);
  }

  /** Until `done` is called, the connection is back, or the publisher is stopped. */
  #until(begin: (done: () => void) => unknown): Promise<void> {
    return new Promise((resolve) => {
      this.#endPause = resolve;
      begin(resolve);
    });
  }
}
