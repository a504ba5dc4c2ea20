import { CacheStats } from '../cache-stats.js';
import { defineOperation } from '../operation.js';
import { Replication } from '../replication.js';

const tag = 'Operations';

export const getCacheStats = defineOperation({
  id: 'getCacheStats',
  method: 'GET',
  path: '/api/v1/cache/stats',
  tag,
  summary: 'Show cache statistics: hits by level, misses, bytes, evictions, invalidations, lag',
  access: 'platform',
  answers: { 200: { description: 'Counted since the start of each process.', schema: CacheStats } },
  errors: [],
});

export const getReplication = defineOperation({
  id: 'getReplication',
  method: 'GET',
  path: '/api/v1/replication',
  tag,
  summary: 'Show the database servers of each service, their lag and their share of reads',
  access: 'platform',
  answers: { 200: { description: 'The observations of one process of each service.', schema: Replication } },
  errors: [],
});
