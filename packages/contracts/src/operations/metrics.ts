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
    'Good points are kept and bad ones named: the first 1,000 of them, `moreRejected` counts the others. 202 says that ' +
    'the points are stored durably on their way in; queries show them shortly after. Bad points are older than the ' +
    'retention, more than 5 minutes ahead (unless configured), of a VM that is unknown or was deleted before, or under ' +
    'a new name when the tenant has 10,000. Points that turn out to be bad later are counted at ' +
    '`GET /api/v1/metrics/intake`. Built-in names are for agents and platform operators. Pushing the same points again ' +
    'changes nothing, so no Idempotency-Key is needed. The body may come with `Content-Encoding: gzip`; its limit of ' +
    '8 MiB is of the expanded one.',
  access: 'operate',
  body: PushMetrics,
  bodyLimit: 8 * 1_048_576,
  // A point is three values; up to 1,000 series have four more each.
  jsonLimits: { depth: 5, fields: 16, items: 50_000, values: 3 * MAX_PUSHED_POINTS + 10_000, string: 2_000 },
  takesGzip: true,
  takesNoKey: true,
  answers: { 202: { description: 'What was taken, and what was not.', schema: PushResult } },
  errors: [],
});

export const queryMetrics = defineRead({
  id: 'queryMetrics',
  path: '/api/v1/vms/{id}/metrics',
  tag,
  summary: "A VM's metrics over a range of time",
  description:
    'The last hour unless told, from a multiple of the step on, so that buckets of the past stay the same. `from` and ' +
    '`to` in milliseconds or RFC 3339; `step` in seconds or as `30s`, `5m`, `1h`, chosen when left out.',
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
      'A series for each metric; null where nothing is known, or where the result is larger than a double.',
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
    description: 'The values with their times; pass `nextCursor` back as `cursor` for more of them.',
    schema: LatestResult,
  },
  errors: ['not_found'],
});

export const showMetricsIntake = defineRead({
  id: 'showMetricsIntake',
  path: '/api/v1/metrics/intake',
  tag,
  summary: 'What became of pushed points',
  description:
    'A push answers as soon as its points are stored durably on their way in. Points that turn out to be of no use ' +
    'afterwards are dropped, and counted here by reason, for the last 24 hours: a VM that is unknown or was deleted ' +
    'before (`unknown_vm`, `vm_deleted`), times outside of what is kept (`too_old`, `in_future`), a name beyond the ' +
    "tenant's limit (`too_many_names`), a message that the database refuses (`unstorable`). Points that hosts measure " +
    'count, too. `lastAt` is in milliseconds since 1970.',
  access: 'read',
  answer: { description: "The tenant's metric names and dropped points.", schema: IntakeResult },
  errors: [],
});
