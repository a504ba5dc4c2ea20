import { metricsRpc } from '@novacron/contracts/metrics';
import { showMetricsIntake } from '@novacron/contracts/operations/metrics';
import { implementRead } from '../edge/route.js';
import { question } from '../reads/question.js';

export const showMetricsIntakeRoute = implementRead(showMetricsIntake, () =>
  question(metricsRpc.intake, {}, null),
);
