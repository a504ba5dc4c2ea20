import { getCacheStatsRoute } from './cache-stats.js';
import { getReplicationRoute } from './replication.js';

export const operationRoutes = [getCacheStatsRoute, getReplicationRoute];
