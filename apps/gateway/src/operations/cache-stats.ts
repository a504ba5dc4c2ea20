import { CacheServiceStats, cacheRpc } from '@novacron/contracts/cache-stats';
import { ServiceError } from '@novacron/contracts/errors';
import { z } from 'zod';
import type { Call } from '../edge/call.js';
import { defineRoute } from '../edge/route.js';

const DEADLINE_MS = 1_000;
const count = z.number().int().nonnegative();

const GatewayCacheStats = z.object({
  hits: z.object({ l1: count, l2: count }).describe('Answers by the level that gave them.'),
  misses: count.describe('Answers that the owning service gave.'),
  flightsJoined: count,
  refreshes: count,
  failedRefreshes: count,
  staleWhileDown: count,
  l1: z.object({ entries: count, bytes: count, evictions: count, invalidations: count, drops: count }),
  l2: z.object({ available: z.boolean(), failures: count, refused: count }).nullable(),
  invalidations: count.describe('Events heard from the invalidators.'),
  lagMs: z.number().nonnegative().nullable().describe('Since the watermark last moved, milliseconds.'),
});

export const CacheStatsAnswer = z.object({
  gateway: GatewayCacheStats.describe('Of the process that answers.'),
  invalidator: CacheServiceStats.nullable().describe('null when none answered in a second.'),
});

export const getCacheStats = defineRoute({
  id: 'getCacheStats',
  method: 'GET',
  path: '/api/v1/cache/stats',
  tag: 'Operations',
  summary: 'What the caches do: hits by level, misses, bytes, evictions, invalidations, lag',
  access: 'platform',
  answers: { 200: { description: 'Counted since the start of each process.', schema: CacheStatsAnswer } },
  errors: [],
  async handle(call, { reads }) {
    return { status: 200, body: { gateway: reads.cache.stats(), invalidator: await invalidator(call) } };
  },
});

async function invalidator(call: Call): Promise<CacheServiceStats | null> {
  try {
    return (await call.ask(cacheRpc.stats, {}, DEADLINE_MS)).body;
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}
