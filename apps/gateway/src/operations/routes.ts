import { getCacheStats } from './cache-stats.js';
import { getReplication } from './replication.js';

export const operationRoutes = [getCacheStats, getReplication];
