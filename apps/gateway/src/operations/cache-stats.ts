import { cacheRpc, type CacheServiceStats } from '@novacron/contracts/cache-stats';
import { ServiceError } from '@novacron/contracts/errors';
import { getCacheStats } from '@novacron/contracts/operations/platform';
import type { Call } from '../reads/requester.js';
import { implement } from '../http/route.js';

const DEADLINE_MS = 1_000;

export const getCacheStatsRoute = implement(getCacheStats, async (call, { reads }) => ({
  status: 200,
  body: { gateway: reads.cache.stats(), invalidator: await invalidator(call) },
}));

async function invalidator(call: Call): Promise<CacheServiceStats | null> {
  try {
    return (await call.ask(cacheRpc.stats, {}, DEADLINE_MS)).body;
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}
