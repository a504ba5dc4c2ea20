import { pushMetricsRoute } from './push-metrics.js';
import { latestMetricsRoute, queryMetricsRoute } from './query-metrics.js';
import { showMetricsIntakeRoute } from './show-intake.js';

export const metricRoutes = [pushMetricsRoute, queryMetricsRoute, latestMetricsRoute, showMetricsIntakeRoute];
