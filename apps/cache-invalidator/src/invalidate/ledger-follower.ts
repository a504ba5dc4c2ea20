import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { Watermark, watermarkSubject } from '@novacron/contracts/events';
import type { LedgerStatus } from '@novacron/contracts/ledger';
import { parsePosition } from '@novacron/contracts/position';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '../messages/event-header.js';
import { Gaps } from '../ledger/gaps.js';
import type { HoleFiller } from './gap-filler.js';
import type { FollowerLease } from '../ledger/lease.js';
import type { Ledger } from '../ledger/ledger.js';

export interface FollowerOptions {
  readonly nc: NatsConnection;
  readonly ledger: Ledger;
  readonly filler: HoleFiller;
  readonly lease: FollowerLease;
  readonly logger: Logger;
  readonly retentionDays: number;
}

const malformed = counter(
  'novacron_cache_malformed_watermarks_total',
  "Messages on the orchestrator's watermark subject that are none",
  [{}],
);

const TICK_MS = 250;
const PURGE_EVERY_TICKS = 240;
/** A hole that the process with the lease leaves open for so long: it may be dead, and the others do not wait. */
const STAND_IN_AFTER_MS = 2_000;

/**
 * Watches the ledger that all processes write: how far the owner is, and what the stream owes. One process at a time
 * fetches what is missing, so that its owner is asked once; the others stand in when it does not.
 */
export class Follower {
  readonly #stop = new AbortController();
  readonly #gaps = new Gaps();
  #running: Promise<void> | undefined;
  #leads = false;
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
    return this.#leads;
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

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#marks?.unsubscribe();
    await this.#running;
    this.#leads = false;
    await this.options.lease.release().catch((error: unknown) => {
      this.options.logger.warn({ err: error }, 'another process may follow only when the lease ends');
    });
  }

  #heard(data: Uint8Array): void {
    const parsed = Watermark.safeParse(parseJson(data));
    if (!parsed.success) malformed.add();
    else if (this.#mark === undefined || follows(parsed.data, this.#mark)) this.#mark = parsed.data;
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
    this.#leads = await lease.renew();
    if (this.#mark && this.leads) await ledger.mark(this.#mark);
    const status = await ledger.status();
    this.#status = status;
    const highest = Math.max(status.highestSeq, this.#mark?.seq ?? 0);
    const ageMs = this.#gaps.overdue(status.contiguousSeq, highest, performance.now());
    if (ageMs !== undefined && (this.leads || ageMs >= STAND_IN_AFTER_MS)) {
      logger.warn({ holes: status.holes, ageMs }, 'events are missing: asking their owner');
      if (this.#mark && !this.leads) await ledger.mark(this.#mark);
      await filler.fill();
    }
    if (this.leads && tick % PURGE_EVERY_TICKS === 0) await ledger.purge(retentionDays);
  }
}

/** Of one history the higher number; a promoted or restored database may have given out fewer than were lost. */
function follows(mark: Watermark, known: Watermark): boolean {
  const [now, before] = [parsePosition(mark.position), parsePosition(known.position)];
  if (now.systemId !== before.systemId || now.timeline > before.timeline) return true;
  return now.timeline === before.timeline && mark.seq >= known.seq;
}
