import { pushMetrics } from './push-metrics.js';
import { latestMetrics, queryMetrics } from './query-metrics.js';
import { showIntake } from './show-intake.js';

export const metricRoutes = [pushMetrics, queryMetrics, latestMetrics, showIntake];
