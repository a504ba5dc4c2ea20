import { Injectable } from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { pause } from '@novacron/async/sleep';
import { Watermark, watermarkSubject } from '@novacron/contracts/events';
import type { LedgerStatus } from '@novacron/contracts/ledger';
import { parsePosition } from '@novacron/contracts/position';
import { Nats, ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import type { CacheConfig } from '../config.js';
import { FollowerLease } from '../ledger/follower-lease.js';
import { GapTimer } from '../ledger/gap-timer.js';
import { Ledger } from '../ledger/ledger.js';
import { parseJson } from '../messages/event-header.js';
import { GapFiller } from './gap-filler.js';

const malformed = counter(
  'novacron_cache_malformed_watermarks_total',
  "Messages on the orchestrator's watermark subject that are none",
  [{}],
);

const TICK_MS = 250;
const PURGE_EVERY_TICKS = 240;
/** A gap that the lease's holder leaves open for this long is filled by the other processes: the holder may be dead. */
const TAKE_OVER_AFTER_MS = 2_000;

/**
 * Watches the ledger that all processes write, and fills its gaps. One process at a time, the lease's holder, fetches
 * missing events, so that the orchestrator serves each once. The other processes take over when it does not.
 */
@Injectable()
export class LedgerFollower {
  readonly #stop = new AbortController();
  readonly #gaps = new GapTimer();
  #running: Promise<void> | undefined;
  #leads = false;
  #marks: Subscription | undefined;
  #mark: Watermark | undefined;
  #status: LedgerStatus | undefined;
  #failure: unknown;

  constructor(
    @Nats() private readonly nc: NatsConnection,
    private readonly ledger: Ledger,
    private readonly filler: GapFiller,
    private readonly lease: FollowerLease,
    @ServiceConfig() private readonly config: CacheConfig,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  /** The ledger's status of a moment ago; undefined before the first look. */
  get status(): LedgerStatus | undefined {
    return this.#status;
  }

  /** The newest watermark received, whether the ledger has reached it or not. */
  get mark(): Watermark | undefined {
    return this.#mark;
  }

  /** `<systemId>.<timeline>` of the newest watermark; undefined before the first. */
  get lineage(): string | undefined {
    if (this.#mark === undefined) return undefined;
    const { systemId, timeline } = parsePosition(this.#mark.position);
    return `${systemId}.${timeline}`;
  }

  get leads(): boolean {
    return this.#leads;
  }

  /** Why the last round failed; undefined when it succeeded. */
  get failure(): unknown {
    return this.#failure;
  }

  start(): void {
    this.#marks ??= this.nc.subscribe(watermarkSubject('orchestrator'), {
      callback: (error, message) => {
        if (error) this.logger.error({ err: error }, 'watermark subscription failed');
        else this.#receive(message.data);
      },
    });
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#marks?.unsubscribe();
    await this.#running;
    this.#leads = false;
    await this.lease.release().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'lease release failed; another process follows when the lease ends');
    });
  }

  #receive(data: Uint8Array): void {
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
        this.logger.warn({ err: error }, 'ledger check failed; retrying');
      }
      await pause(TICK_MS, { signal: this.#stop.signal });
    }
  }

  async #tick(tick: number): Promise<void> {
    const { ledger } = this;
    this.#leads = await this.lease.renew();
    if (this.#mark && this.leads) await ledger.mark(this.#mark);
    const status = await ledger.status();
    this.#status = status;
    const highest = Math.max(status.highestSeq, this.#mark?.seq ?? 0);
    const ageMs = this.#gaps.overdue(status.contiguousSeq, highest, performance.now());
    if (ageMs !== undefined && (this.leads || ageMs >= TAKE_OVER_AFTER_MS)) {
      this.logger.warn(
        { gaps: status.holes, ageMs },
        'events are missing; fetching them from the orchestrator',
      );
      if (this.#mark && !this.leads) await ledger.mark(this.#mark);
      await this.filler.fill();
    }
    if (this.leads && tick % PURGE_EVERY_TICKS === 0) await ledger.purge(this.config.ledger.retentionDays);
  }
}

/** The higher number of one lineage follows. A promoted or restored database may have lost numbers, and counts anew. */
function follows(mark: Watermark, known: Watermark): boolean {
  const [now, before] = [parsePosition(mark.position), parsePosition(known.position)];
  if (now.systemId !== before.systemId || now.timeline > before.timeline) return true;
  return now.timeline === before.timeline && mark.seq >= known.seq;
}
