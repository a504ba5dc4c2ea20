import { metricsRpc } from '@novacron/contracts/metrics';
import { showMetricsIntake } from '@novacron/contracts/operations/metrics';
import { implementRead } from '../http/route.js';
import { question } from '../reads/cacheable-query.js';

export const showMetricsIntakeRoute = implementRead(showMetricsIntake, () =>
  question(metricsRpc.intake, {}, null),
);
