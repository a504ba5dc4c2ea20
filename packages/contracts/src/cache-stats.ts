import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { LedgerStatus } from './ledger.js';
import { Timestamp } from './common.js';

const count = z.number().int().nonnegative();

/** A warming run: it loads answers into the shared cache before a caller requests them. */
export const WarmStatus = z.object({
  state: z.enum(['never', 'running', 'done', 'failed']),
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
  tenants: count,
  vms: count,
  metrics: count,
  /** Answers that were not stored, because the cache has a newer entry. */
  refused: count,
  /** Why the run failed or stopped early. */
  reason: z.string().nullable(),
});
export type WarmStatus = z.infer<typeof WarmStatus>;

/** A stale entry that the checker found. */
export const StaleFinding = z.object({
  at: Timestamp,
  tenantId: z.string(),
  type: z.string(),
  id: z.string(),
  /** The entry claims to contain every change up to this position. */
  position: z.string(),
  reason: z.string(),
});
export type StaleFinding = z.infer<typeof StaleFinding>;

export const CheckStatus = z.object({
  samples: count,
  stale: count,
  /** Samples without a verdict: the owning service did not answer. */
  unjudged: count,
  lastStale: StaleFinding.nullable(),
});
export type CheckStatus = z.infer<typeof CheckStatus>;

/** Counters of the cache-invalidator instance that answers. All instances share the ledger. */
export const CacheServiceStats = z.object({
  l2: z.object({
    available: z.boolean(),
    /** Keys of the whole server, tombstones included. Null when the server does not answer. */
    keys: count.nullable(),
    bytes: count.nullable(),
    failures: count,
  }),
  invalidations: z.object({
    /** Events published to caches since the start. */
    events: count,
    /** Tombstones and list generations written to L2. */
    tombstones: count,
    /** Entries that these removed. */
    removed: count,
    /** Changes that are pending because L2 is not available. */
    owed: count,
    /** Changes that were discarded because too many were pending. */
    forgotten: count,
    /** Age of the oldest observed event that was not published yet, milliseconds. */
    oldestPendingMs: count,
  }),
  /** Events behind the orchestrator; null before its first watermark. */
  lagEvents: count.nullable(),
  ledger: LedgerStatus,
  warm: WarmStatus,
  check: CheckStatus,
});
export type CacheServiceStats = z.infer<typeof CacheServiceStats>;

/** Of one gateway process. */
export const GatewayCacheStats = z.object({
  hits: z.object({ l1: count, l2: count }).describe('Answers by the level that served them.'),
  misses: count.describe('Answers that the owning service served.'),
  flightsJoined: count,
  refreshes: count,
  failedRefreshes: count,
  staleWhileDown: count,
  l1: z.object({ entries: count, bytes: count, evictions: count, invalidations: count, drops: count }),
  l2: z.object({ available: z.boolean(), failures: count, refused: count }).nullable(),
  invalidations: count.describe('Events received from the invalidators.'),
  lagMs: z.number().nonnegative().nullable().describe('Milliseconds since the watermark last advanced.'),
});

export const CacheStats = z.object({
  gateway: GatewayCacheStats.describe('Counters of the gateway process that answers.'),
  invalidator: CacheServiceStats.nullable().describe('Null when no instance answered within a second.'),
});

export const cacheRpc = {
  stats: defineRpc('rpc.cache.stats.get', z.object({}), CacheServiceStats, 'refused'),
  /** Starts a warming run, or joins the run in progress. Answers at once with its status. */
  warm: defineRpc('rpc.cache.warm.run', z.object({}), WarmStatus, 'refused'),
};
