import { z } from 'zod';
import { pageQuery, wholeNumber } from '../common.js';
import { durationParameter } from '../duration.js';
import {
  Aggregation,
  IntakeResult,
  LATEST_LIMIT,
  LatestResult,
  MetricName,
  PushMetrics,
  PushResult,
  RangeResult,
} from '../metrics.js';
import { defineOperation, defineRead } from '../operation.js';
import { timeParameter } from '../time.js';
import { vmParams } from './vms.js';

const tag = 'Metrics';

/** Points of one push, over all of its series. */
export const MAX_PUSHED_POINTS = 200_000;

export const pushMetrics = defineOperation({
  id: 'pushMetrics',
  method: 'POST',
  path: '/api/v1/metrics/ingest',
  tag,
  summary: 'Push metric points',
  description:
    'Accepts valid points and names the first 1,000 invalid ones. `moreRejected` counts the others. 202 means that the ' +
    'accepted points are stored durably. Queries show them shortly after. A point is invalid when it is older than the ' +
    'retention, or more than 5 minutes ahead (by default). It is also invalid when its VM is unknown or was deleted ' +
    'before, or when its name is new and the tenant has 10,000 names. `GET /api/v1/metrics/intake` counts points that ' +
    'are found invalid later. Only agents and platform operators may use built-in names. A repeated push has no further ' +
    'effect, so the operation takes no Idempotency-Key. The body may have `Content-Encoding: gzip`. The limit of 8 MiB ' +
    'is that of the expanded body.',
  access: 'operate',
  body: PushMetrics,
  bodyLimit: 8 * 1_048_576,
  // A point is three values; up to 1,000 series have four more each.
  jsonLimits: { depth: 5, fields: 16, items: 50_000, values: 3 * MAX_PUSHED_POINTS + 10_000, string: 2_000 },
  takesGzip: true,
  takesNoKey: true,
  answers: {
    202: { description: 'The number of accepted points, and the rejected ones.', schema: PushResult },
  },
  errors: [],
});

export const queryMetrics = defineRead({
  id: 'queryMetrics',
  path: '/api/v1/vms/{id}/metrics',
  tag,
  summary: "A VM's metrics over a range of time",
  description:
    'The default range is the last hour, from a multiple of the step on, so that buckets of the past stay the same. ' +
    '`from` and `to` are in milliseconds or RFC 3339. `step` is in seconds, or a duration such as `30s`, `5m` or `1h`. ' +
    'The default step gives about 120 points.',
  access: 'read',
  params: vmParams,
  query: z.strictObject({
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
  }),
  lists: { metric: 'comma' },
  answer: {
    description:
      'A series for each metric. A value is null where no point exists, or where the result exceeds a double.',
    schema: RangeResult,
  },
  errors: ['not_found'],
});

export const latestMetrics = defineRead({
  id: 'latestMetrics',
  path: '/api/v1/vms/{id}/metrics/latest',
  tag,
  summary: "The latest value of each of a VM's metrics",
  access: 'read',
  params: vmParams,
  query: z.strictObject({
    limit: wholeNumber(1, LATEST_LIMIT).default(LATEST_LIMIT),
    cursor: pageQuery.cursor,
  }),
  answer: {
    description: 'The values with their times. `nextCursor` is the `cursor` of the next page.',
    schema: LatestResult,
  },
  errors: ['not_found'],
});

export const showMetricsIntake = defineRead({
  id: 'showMetricsIntake',
  path: '/api/v1/metrics/intake',
  tag,
  summary: 'Show the points that were dropped after a push',
  description:
    'A push answers as soon as its points are stored durably. Points that are found invalid later are dropped, and ' +
    'counted here by reason for the last 24 hours: the VM is unknown or was deleted before (`unknown_vm`, `vm_deleted`), ' +
    "the time is outside of the retention (`too_old`, `in_future`), the name exceeds the tenant's limit " +
    '(`too_many_names`), or the database refuses the message (`unstorable`). The counts include points of hosts. ' +
    '`lastAt` is in milliseconds since 1970.',
  access: 'read',
  answer: { description: "The tenant's metric names and dropped points.", schema: IntakeResult },
  errors: [],
});
