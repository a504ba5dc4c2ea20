import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { LedgerStatus } from './ledger.js';
import { Timestamp } from './common.js';

const count = z.number().int().nonnegative();

/** What was loaded into the shared cache before anybody asked for it. */
export const WarmStatus = z.object({
  state: z.enum(['never', 'running', 'done', 'failed']),
  startedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
  tenants: count,
  vms: count,
  metrics: count,
  /** Answers that were not kept: something newer is there. */
  refused: count,
  /** Why it failed, or stopped before its end. */
  reason: z.string().nullable(),
});
export type WarmStatus = z.infer<typeof WarmStatus>;

/** What was wrong with a cached answer, and where. */
export const StaleFinding = z.object({
  at: Timestamp,
  tenantId: z.string(),
  type: z.string(),
  id: z.string(),
  /** Position that the cached answer claims to hold everything up to. */
  position: z.string(),
  reason: z.string(),
});
export type StaleFinding = z.infer<typeof StaleFinding>;

export const CheckStatus = z.object({
  samples: count,
  stale: count,
  /** Samples that could not be judged: their owner did not answer. */
  unjudged: count,
  lastStale: StaleFinding.nullable(),
});
export type CheckStatus = z.infer<typeof CheckStatus>;

/** Of the instance of cache-invalidator that answers; the ledger is of all together. */
export const CacheServiceStats = z.object({
  l2: z.object({
    available: z.boolean(),
    /** Of the whole server, tombstones included; null while it does not answer. */
    keys: count.nullable(),
    bytes: count.nullable(),
    failures: count,
  }),
  invalidations: z.object({
    /** Events told to caches since the start. */
    events: count,
    /** Tombstones and list generations written to L2. */
    tombstones: count,
    /** Cached answers that these removed. */
    removed: count,
    /** Changes that L2 has not been told yet, as it is away. */
    owed: count,
    /** Changes that will not be told any more: they were too many. */
    forgotten: count,
    /** Age of the oldest event known of that was not told yet, milliseconds. */
    oldestPendingMs: count,
  }),
  /** Events behind the orchestrator; null before its first watermark. */
  lagEvents: count.nullable(),
  ledger: LedgerStatus,
  warm: WarmStatus,
  check: CheckStatus,
});
export type CacheServiceStats = z.infer<typeof CacheServiceStats>;

export const cacheRpc = {
  stats: defineRpc('rpc.cache.stats.get', z.object({}), CacheServiceStats, 'refused'),
  /** Begins to warm the shared cache, or joins the run that is on; answers at once with where it is. */
  warm: defineRpc('rpc.cache.warm.run', z.object({}), WarmStatus, 'refused'),
};
