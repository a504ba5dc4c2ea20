import { pushMetrics } from './push-metrics.js';
import { latestMetrics, queryMetrics } from './query-metrics.js';

export const metricRoutes = [pushMetrics, queryMetrics, latestMetrics];
