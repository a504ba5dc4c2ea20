import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { DomainEvent, Watermark, watermarkSubject } from '@novacron/contracts/events';
import type { LedgerStatus } from '@novacron/contracts/ledger';
import { DurableConsumer } from '@novacron/messaging/consumer';
import { EVENTS } from '@novacron/messaging/streams';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gaps } from './gaps.js';
import type { HoleFiller } from './hole-filler.js';
import type { FollowerLease } from './lease.js';
import type { Ledger } from './ledger.js';

export interface FollowerOptions {
  readonly nc: NatsConnection;
  readonly ledger: Ledger;
  readonly filler: HoleFiller;
  readonly lease: FollowerLease;
  readonly logger: Logger;
  readonly retentionDays: number;
}

const recorded = counter(
  'novacron_cache_events_total',
  'Events that the stream brought, by kind; repeated ones count again',
);
const malformed = counter(
  'novacron_cache_malformed_events_total',
  'Messages of the event stream that are no events',
);

const TICK_MS = 250;
const PURGE_EVERY_TICKS = 240;

/**
 * Keeps the ledger: what the stream brings, what it owes, and how far the owner is. One process at a time
 * follows; the others wait for its lease to end.
 */
export class Follower {
  readonly #stop = new AbortController();
  readonly #gaps = new Gaps();
  #running: Promise<void> | undefined;
  #consumer: DurableConsumer | undefined;
  #marks: Subscription | undefined;
  #mark: Watermark | undefined;
  #status: LedgerStatus | undefined;
  #failure: unknown;

  constructor(private readonly options: FollowerOptions) {}

  /** The ledger as it was a moment ago; undefined before the first look. */
  get status(): LedgerStatus | undefined {
    return this.#status;
  }

  /** The newest watermark heard of, recorded up to or not. */
  get mark(): Watermark | undefined {
    return this.#mark;
  }

  get leads(): boolean {
    return this.#consumer !== undefined;
  }

  /** Why the last round failed; undefined when it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  start(): void {
    this.#marks ??= this.options.nc.subscribe(watermarkSubject('orchestrator'), {
      callback: (error, message) => {
        if (error) this.options.logger.error({ err: error }, 'watermarks cannot be heard');
        else this.#heard(message.data);
      },
    });
    this.#running ??= this.#run();
  }

  /** Stops following; what was not recorded comes again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#marks?.unsubscribe();
    await this.#running;
    await this.#consumer?.stop();
    this.#consumer = undefined;
    await this.options.lease.release().catch((error: unknown) => {
      this.options.logger.warn({ err: error }, 'another process may follow only when the lease ends');
    });
  }

  #heard(data: Uint8Array): void {
    const parsed = Watermark.safeParse(parseJson(data));
    if (!parsed.success) malformed.add();
    else if (parsed.data.seq >= (this.#mark?.seq ?? 0)) this.#mark = parsed.data;
  }

  async #run(): Promise<void> {
    for (let tick = 0; !this.#stop.signal.aborted; tick++) {
      try {
        await this.#tick(tick);
        this.#failure = undefined;
      } catch (error) {
        this.#failure = error;
        this.options.logger.warn({ err: error }, 'the ledger is not kept at the moment; again');
      }
      // An early end of the pause is the stop.
      await sleep(TICK_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #tick(tick: number): Promise<void> {
    const { ledger, filler, lease, logger, retentionDays } = this.options;
    await this.#follow(await lease.renew());
    if (this.#mark && this.leads) await ledger.mark(this.#mark);
    const status = await ledger.status();
    this.#status = status;
    if (!this.leads) return;
    const ageMs = this.#gaps.overdue(status.contiguousSeq, status.highestSeq, performance.now());
    if (ageMs !== undefined) {
      logger.warn({ holes: status.holes, ageMs }, 'events are missing: asking their owner');
      await filler.fill();
    }
    if (tick % PURGE_EVERY_TICKS === 0) await ledger.purge(retentionDays);
  }

  async #follow(leads: boolean): Promise<void> {
    const { nc, logger } = this.options;
    if (!leads) {
      await this.#consumer?.stop();
      this.#consumer = undefined;
    } else if (!this.#consumer) {
      this.#consumer = new DurableConsumer({
        nc,
        stream: EVENTS,
        durable: 'cache-ledger',
        handle: (batch) => this.#record(batch),
        maxBatch: 256,
        maxAckPending: 1_024,
        logger,
      });
      this.#consumer.start();
    }
  }

  async #record(batch: readonly { readonly data: Uint8Array }[]): Promise<void> {
    const events: DomainEvent[] = [];
    for (const { data } of batch) {
      const parsed = DomainEvent.safeParse(parseJson(data));
      if (parsed.success) events.push(parsed.data);
      else {
        malformed.add();
        this.options.logger.error(
          { issues: parsed.error.issues },
          'a message of the event stream is no event',
        );
      }
    }
    const disputed = await this.options.ledger.record(events, 'stream');
    for (const { kind } of events) recorded.add(1, { kind });
    for (const seq of disputed) {
      this.options.logger.error({ seq }, 'two events have one number: the owner decides');
      await this.options.filler.fetch({ fromSeq: seq, toSeq: seq });
    }
  }
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    // Not JSON is not an event: the schema refuses it.
    return undefined;
  }
}
