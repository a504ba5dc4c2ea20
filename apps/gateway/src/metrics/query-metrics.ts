import { Aggregation, LatestResult, MetricName, metricsRpc, RangeResult } from '@novacron/contracts/metrics';
import { z } from 'zod';
import { defineRoute } from '../edge/route.js';
import { vmParams } from '../vms/parameters.js';
import { rangeOf, timeParameter } from './range.js';

const rangeQuery = z.strictObject({
  metric: z.array(MetricName).min(1).max(20),
  from: timeParameter.optional(),
  to: timeParameter.optional(),
  step: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400 * 31)
    .optional(),
  agg: Aggregation.default('avg'),
});

export const queryMetrics = defineRoute({
  id: 'queryMetrics',
  method: 'GET',
  path: '/api/v1/vms/{id}/metrics',
  tag: 'Metrics',
  summary: "A VM's metrics over a range of time",
  description:
    'The last hour unless told. `from` and `to` in milliseconds or RFC 3339; `step` in seconds, chosen when left out.',
  access: 'read',
  params: vmParams,
  query: rangeQuery,
  lists: { metric: 'comma' },
  answers: {
    200: { description: 'A series for each metric; null where nothing is known.', schema: RangeResult },
  },
  errors: ['not_found'],
  async handle(call) {
    const { metric, agg, ...range } = call.query;
    const body = { vmId: call.params.id, metric, agg, ...rangeOf(range) };
    return { status: 200, body: (await call.ask(metricsRpc.range, body)).body };
  },
});

export const latestMetrics = defineRoute({
  id: 'latestMetrics',
  method: 'GET',
  path: '/api/v1/vms/{id}/metrics/latest',
  tag: 'Metrics',
  summary: "The latest value of each of a VM's metrics",
  access: 'read',
  params: vmParams,
  answers: { 200: { description: 'The values with their times.', schema: LatestResult } },
  errors: ['not_found'],
  async handle(call) {
    return { status: 200, body: (await call.ask(metricsRpc.latest, { vmId: call.params.id })).body };
  },
});
