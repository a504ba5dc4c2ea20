import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { sleep } from '@novacron/async/sleep';
import { watermarkSubject } from '@novacron/contracts/events';
import { subjectOf } from '@novacron/contracts/subject';
import type { Database } from '@novacron/postgres/database';
import { Marks } from './marks.js';
import { Numbering } from './numbering.js';
import { Publisher } from './publisher.js';
import type { SetAsideReason } from './unpublishable.js';

export interface RelayOptions {
  /** Of the `_sys` role; the relay keeps one of its connections. */
  readonly database: Pick<Database, 'pin'>;
  readonly nc: Pick<NatsConnection, 'publish' | 'subscribe' | 'isClosed' | 'status'>;
  readonly js: Pick<JetStreamClient, 'publish'>;
  /** `orchestrator`: the NATS name of the service, in `watermarks.<service>`. */
  readonly service: string;
  readonly log: Record<'warn' | 'error', (about: object, message: string) => void>;
  /** Called for each event that is set aside, for a counter. */
  readonly onSetAside?: (reason: SetAsideReason) => void;
  /** How long numbered and published events are kept; default seven days. */
  readonly keepMs?: number;
  /** Without a wake the table is polled this often, which also keeps watermarks closer than 100 ms; default 60. */
  readonly pollMs?: number;
}

export interface RelayStats {
  /** This instance relays; the others stand by. */
  readonly leading: boolean;
  /** The last seq that was given, as far as this instance knows. */
  readonly numbered: number;
  /** Every event up to here is in the stream, or set aside. */
  readonly published: number;
}

const KEEP_MS = 7 * 24 * 3_600_000;
const POLL_MS = 60;
/** The least time between two batches, or two wakes of one instance, so that under load one batch serves many commits. */
const BATCH_GAP_MS = 5;
const STANDBY_MS = 250;
const RETRY_MS = 250;
const PURGE_EVERY_MS = 60_000;
const PURGE_PAUSE_MS = 200;
const PUBLISH_TIMEOUT_MS = 5_000;

/**
 * Numbers committed events, publishes them to JetStream and publishes the watermark. Of several instances of a service
 * the one with the lock in Postgres leads. Another takes over when its connection ends.
 */
export class Relay {
  readonly #marks = new Marks();
  #stopped = false;
  #loop: Promise<void> | null = null;
  #leading: { numbering: Numbering; publisher: Publisher } | null = null;
  #woken = false;
  #connected = true;
  #wakes: Subscription | undefined;
  #leaderWokenAt = 0;
  #rouse: () => void = () => undefined;

  constructor(private readonly options: RelayOptions) {}

  /** Starts; Postgres and NATS need not be reachable yet. */
  start(): void {
    if (this.#loop) return;
    this.#loop = this.#run();
    this.#wakes = this.options.nc.subscribe(this.#wakeSubject, { callback: () => this.#rouseLeader() });
    void this.#watchConnection();
  }

  /** Announces a commit of this process. Cheap: call it after each commit. */
  wake(): void {
    if (this.#leading) return this.#rouseLeader();
    const now = performance.now();
    if (!this.#connected || this.options.nc.isClosed() || now - this.#leaderWokenAt < BATCH_GAP_MS) return;
    this.#leaderWokenAt = now;
    this.options.nc.publish(this.#wakeSubject);
  }

  /** Ends after the events in flight. The next start publishes the others. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wakes?.unsubscribe();
    this.#rouse();
    await this.#loop;
  }

  /** Deletes expired events now, if this instance leads. It runs every minute by itself. */
  async purge(): Promise<void> {
    const { numbering, publisher } = this.#leading ?? {};
    if (!numbering || !publisher) return;
    while (await numbering.purge(publisher.published, this.options.keepMs ?? KEEP_MS))
      await sleep(PURGE_PAUSE_MS);
  }

  stats(): RelayStats {
    return {
      leading: this.#leading !== null,
      numbered: this.#leading?.publisher.numbered ?? 0,
      published: this.#leading?.publisher.published ?? 0,
    };
  }

  get #wakeSubject(): string {
    return subjectOf('wake', this.options.service, 'relay');
  }

  #rouseLeader(): void {
    if (this.#woken) return;
    this.#woken = true;
    this.#rouse();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let numbering: Numbering | undefined;
      try {
        numbering = new Numbering(await this.options.database.pin());
        if (await this.#becomeLeader(numbering)) await this.#lead(numbering);
      } catch (error) {
        this.options.log.warn(
          { err: error, service: this.options.service },
          'relay connection to Postgres failed',
        );
      } finally {
        numbering?.end();
      }
      if (!this.#stopped) await this.#sleep(RETRY_MS, false);
    }
  }

  /** A request in flight when the connection breaks would wait for its whole time limit. */
  async #watchConnection(): Promise<void> {
    for await (const status of this.options.nc.status()) {
      if (this.#stopped) return;
      if (status.type === 'disconnect') {
        this.#connected = false;
        this.#leading?.publisher.disconnected();
      } else if (status.type === 'reconnect') {
        this.#connected = true;
        this.#leading?.publisher.reconnected();
      }
    }
  }

  async #becomeLeader(numbering: Numbering): Promise<boolean> {
    while (!this.#stopped) {
      if (await numbering.tryLead()) return true;
      this.#woken = false;
      await this.#sleep(STANDBY_MS, false);
    }
    return false;
  }

  async #lead(numbering: Numbering): Promise<void> {
    const publisher = this.#publisherOn(numbering, await numbering.begin());
    this.#leading = { numbering, publisher };
    let purgeAt = performance.now() + PURGE_EVERY_MS;
    try {
      while (!this.#stopped) {
        const startedAt = performance.now();
        this.#woken = false;
        await this.#publishBatch(numbering, publisher);
        if (performance.now() >= purgeAt) {
          purgeAt = Infinity;
          this.#purgeInBackground(() => (purgeAt = performance.now() + PURGE_EVERY_MS));
        }
        await this.#sleep(BATCH_GAP_MS - (performance.now() - startedAt), false);
        await this.#sleep(this.options.pollMs ?? POLL_MS, true);
      }
    } finally {
      await publisher.stop();
      this.#leading = null;
    }
    await numbering.numberBatch(publisher.published);
  }

  async #publishBatch(numbering: Numbering, publisher: Publisher): Promise<void> {
    const batch = await numbering.numberBatch(publisher.published);
    publisher.offer(batch.events);
    if (batch.leftNothing) this.#marks.add({ seq: publisher.numbered, position: batch.visibleUpTo });
    else this.#woken = true;
    this.#publishWatermark(publisher);
  }

  #publisherOn(numbering: Numbering, counter: { seq: number; published: number }): Publisher {
    const publisher: Publisher = new Publisher(
      {
        publish: async (subject, payload, id) => {
          await this.options.js.publish(subject, payload, { msgID: id, timeout: PUBLISH_TIMEOUT_MS });
        },
        read: (seq) => numbering.after(seq),
        setAside: async (row, reason, cause) => {
          await numbering.setAside(row.seq, reason);
          const { service } = this.options;
          const event = { seq: row.seq, kind: row.kind, resourceId: row.resource_id, type: row.type };
          this.options.log.error({ err: cause, service, reason, event }, 'event set aside');
          this.options.onSetAside?.(reason);
        },
        onProgress: () => this.#publishWatermark(publisher),
        onError: (error) => {
          const at = { err: error, service: this.options.service, published: publisher.published };
          this.options.log.warn(at, 'event publishing failed');
        },
      },
      counter,
      this.#connected,
    );
    return publisher;
  }

  /** Publishes the watermark that has become true, if any. The next one replaces a lost one. */
  #publishWatermark(publisher: Publisher): void {
    const mark = this.#marks.take(publisher.published);
    if (!mark || !this.#connected || this.options.nc.isClosed()) return;
    const message = JSON.stringify({ service: this.options.service, ...mark });
    this.options.nc.publish(watermarkSubject(this.options.service), message);
  }

  #purgeInBackground(done: () => void): void {
    this.purge()
      .catch((error: unknown) => {
        this.options.log.warn({ err: error, service: this.options.service }, 'event purge failed');
      })
      .finally(done);
  }

  /** Waits; when `wakeable`, only until the next wake. */
  async #sleep(ms: number, wakeable: boolean): Promise<void> {
    if (ms <= 0 || this.#stopped || (wakeable && this.#woken)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#rouse = () => {
        if (!wakeable && !this.#stopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#rouse = () => undefined;
  }
}
