import { L2 } from '@novacron/cache/l2';
import { L2Inspector } from '@novacron/cache/l2-inspector';
import type { CacheServiceStats } from '@novacron/contracts/cache-stats';
import { parsePosition } from '@novacron/contracts/position';
import type { ServiceContext } from '@novacron/service-kit/context';
import { randomUUID } from 'node:crypto';
import { Checker } from './check/checker.js';
import { LaterEvents } from './check/later-events.js';
import { ownersBy } from './check/owners.js';
import type { CacheConfig } from './config.js';
import { headOf } from './messages/event-header.js';
import { Invalidator } from './invalidate/invalidator.js';
import { MetricsListener } from './invalidate/metrics-listener.js';
import { SharedLevel } from './invalidate/tombstone-writer.js';
import { Teller } from './invalidate/invalidation-publisher.js';
import { Follower } from './invalidate/ledger-follower.js';
import { HoleFiller } from './invalidate/gap-filler.js';
import { FollowerLease } from './ledger/lease.js';
import { Ledger } from './ledger/ledger.js';
import { Warmer } from './warm/warmer.js';

/** No reader waits for what is done here, so a busy Redis is not taken for one that is gone. Milliseconds. */
const PATIENCE_MS = 1_000;

/** What cache-invalidator is made of. */
export class Caches {
  readonly l2: L2;
  readonly ledger: Ledger;
  readonly shared: SharedLevel;
  readonly teller: Teller;
  readonly follower: Follower;
  readonly invalidator: Invalidator;
  readonly warmer: Warmer;
  readonly checker: Checker;
  readonly #inspector: L2Inspector;
  readonly #metrics: MetricsListener;

  constructor({ nc, sys, rpc, logger, config }: ServiceContext<CacheConfig>) {
    const redis = {
      ...config.redis,
      timeoutMs: PATIENCE_MS,
      onError: (err: Error) => logger.debug({ err }, 'Redis is not reached'),
      onRefused: (err: Error) => logger.warn({ err }, 'Redis refuses what the shared cache asks'),
    };
    this.l2 = new L2(redis);
    this.#inspector = new L2Inspector(redis);
    this.ledger = new Ledger(sys);
    this.shared = new SharedLevel({ l2: this.l2 });
    this.teller = new Teller(nc, this.shared);
    this.#metrics = new MetricsListener(nc, this.shared, logger);
    const { ledger, teller } = this;
    const filler = new HoleFiller({
      ledger,
      rpc,
      tell: async (events) => (await teller.tell(events.map(headOf))).marked,
      logger,
    });
    const lease = new FollowerLease(sys, randomUUID());
    this.follower = new Follower({ nc, ledger, filler, lease, logger, ...config.ledger });
    // Without Postgres caches are told all the same; what was recorded wrongly its owner corrects.
    const known = () => (sys.history ? undefined : ledger.status().catch(() => undefined));
    const history = async () => (await known(), sys.history);
    this.invalidator = new Invalidator({ nc, teller, ledger, filler, history, logger });
    this.warmer = new Warmer({ ledger, rpc, l2: this.l2, logger, ...config.warm });
    this.checker = new Checker({
      inspector: this.#inspector,
      sources: { later: new LaterEvents(ledger), truth: ownersBy(rpc) },
      history: () => this.history,
      logger,
      ...config.check,
    });
  }

  /** Of the newest watermark; undefined before the first. */
  get history(): string | undefined {
    const mark = this.follower.mark;
    if (mark === undefined) return undefined;
    const { systemId, timeline } = parsePosition(mark.position);
    return `${systemId}.${timeline}`;
  }

  /** Age of the oldest event known of that was not told: in hand here, or missing in the ledger. Milliseconds. */
  get oldestPendingMs(): number {
    return Math.max(this.invalidator.oldestPendingMs, this.follower.status?.oldestHoleAgeMs ?? 0);
  }

  /** Why events cannot be followed at the moment; undefined when they can. */
  get failure(): unknown {
    return this.follower.failure ?? this.invalidator.failure;
  }

  start(): void {
    this.follower.start();
    this.invalidator.start();
    this.#metrics.start();
    this.checker.start();
  }

  async stop(): Promise<void> {
    this.#metrics.stop();
    await Promise.all([this.warmer.stop(), this.checker.stop(), this.invalidator.stop()]);
    await this.follower.stop();
    this.shared.close();
    this.l2.close();
    this.#inspector.close();
  }

  async stats(): Promise<CacheServiceStats> {
    const { l2, shared, teller } = this;
    // A cache that is away has no size; everything else is worth telling.
    const size = await this.#inspector.size().catch(() => ({ keys: null, bytes: null }));
    const ledger = await this.ledger.status();
    const mark = this.follower.mark;
    return {
      l2: { available: l2.available, failures: l2.failures, ...size },
      invalidations: {
        events: teller.events,
        tombstones: shared.tombstones,
        removed: l2.invalidations,
        owed: shared.owed,
        forgotten: shared.forgotten,
        oldestPendingMs: Math.round(this.oldestPendingMs),
      },
      lagEvents: mark === undefined ? null : Math.max(0, mark.seq - ledger.contiguousSeq),
      ledger,
      warm: this.warmer.status,
      check: this.checker.status,
    };
  }
}
