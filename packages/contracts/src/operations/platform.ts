import { CacheStats } from '../cache-stats.js';
import { defineOperation } from '../operation.js';
import { Replication } from '../replication.js';

const tag = 'Operations';

export const getCacheStats = defineOperation({
  id: 'getCacheStats',
  method: 'GET',
  path: '/api/v1/cache/stats',
  tag,
  summary: 'What the caches do: hits by level, misses, bytes, evictions, invalidations, lag',
  access: 'platform',
  answers: { 200: { description: 'Counted since the start of each process.', schema: CacheStats } },
  errors: [],
});

export const getReplication = defineOperation({
  id: 'getReplication',
  method: 'GET',
  path: '/api/v1/replication',
  tag,
  summary: 'For each service its database servers, their lag and their share of reads',
  access: 'platform',
  answers: { 200: { description: 'As one process of each service sees it.', schema: Replication } },
  errors: [],
});
