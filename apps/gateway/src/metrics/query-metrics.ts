import { lastHourId } from '@novacron/cache/last-hour';
import { metricsGroup } from '@novacron/cache/rules';
import { pageQuery, wholeNumber } from '@novacron/contracts/common';
import {
  Aggregation,
  LATEST_LIMIT,
  LatestResult,
  MetricName,
  metricsRpc,
  RangeResult,
} from '@novacron/contracts/metrics';
import { z } from 'zod';
import { durationParameter } from '../edge/duration.js';
import { defineRead } from '../reads/define-read.js';
import { question } from '../reads/question.js';
import { vmParams } from '../vms/parameters.js';
import { rangeOf, timeParameter } from './range.js';

const rangeQuery = z.strictObject({
  metric: z.array(MetricName).min(1).max(20),
  from: timeParameter.optional(),
  to: timeParameter.optional(),
  step: durationParameter(
    { min: 1, max: 86_400 * 31, step: 1 },
    'Seconds, or a duration such as `30s`, `5m` or `1h`.',
  )
    .transform((ms) => ms / 1_000)
    .optional(),
  agg: Aggregation.default('avg'),
});

export const queryMetrics = defineRead({
  id: 'queryMetrics',
  path: '/api/v1/vms/{id}/metrics',
  tag: 'Metrics',
  summary: "A VM's metrics over a range of time",
  description:
    'The last hour unless told, from a multiple of the step on, so that buckets of the past stay the same. `from` and ' +
    '`to` in milliseconds or RFC 3339; `step` in seconds or as `30s`, `5m`, `1h`, chosen when left out.',
  access: 'read',
  params: vmParams,
  query: rangeQuery,
  lists: { metric: 'comma' },
  answer: {
    description:
      'A series for each metric; null where nothing is known, or where the result is larger than a double.',
    schema: RangeResult,
  },
  errors: ['not_found'],
  ask: ({ params, query: { metric, agg, ...range } }) => {
    const vmId = params.id;
    const isLastHour = range.from === undefined && range.to === undefined;
    const id = lastHourId(vmId, { metric, agg, step: range.step });
    return question(
      metricsRpc.range,
      () => ({ vmId, metric, agg, ...rangeOf(range) }),
      isLastHour ? { type: 'metrics-hour', id, group: metricsGroup(vmId) } : null,
    );
  },
});

const latestQuery = z.strictObject({
  limit: wholeNumber(1, LATEST_LIMIT).default(LATEST_LIMIT),
  cursor: pageQuery.cursor,
});

export const latestMetrics = defineRead({
  id: 'latestMetrics',
  path: '/api/v1/vms/{id}/metrics/latest',
  tag: 'Metrics',
  summary: "The latest value of each of a VM's metrics",
  access: 'read',
  params: vmParams,
  query: latestQuery,
  answer: {
    description: 'The values with their times; pass `nextCursor` back as `cursor` for more of them.',
    schema: LatestResult,
  },
  errors: ['not_found'],
  ask: ({ params: { id }, query }) => {
    const isFirst = query.cursor === undefined && query.limit === LATEST_LIMIT;
    return question(
      metricsRpc.latest,
      { vmId: id, ...query },
      // The first page, which is warmed, is nearly always all there is.
      isFirst ? { type: 'metrics-latest', id, group: metricsGroup(id) } : null,
    );
  },
});
