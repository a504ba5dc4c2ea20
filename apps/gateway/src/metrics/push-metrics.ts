import { PushMetrics, PushResult } from '@novacron/contracts/metrics';
import { ServiceError } from '@novacron/contracts/errors';
import { defineRoute } from '../edge/route.js';
import { toBatches } from './batches.js';
import { checkPoints } from './check-points.js';

const MAX_POINTS = 200_000;
/** A point is three values; up to 1,000 series have four more each. */
const LIMITS = { depth: 5, fields: 16, items: 50_000, values: 3 * MAX_POINTS + 10_000, string: 2_000 };

type Rejection = PushResult['rejected'][number];
const byPlace = (a: Rejection, b: Rejection) => a.series - b.series || (a.point ?? -1) - (b.point ?? -1);

export const pushMetrics = defineRoute({
  id: 'pushMetrics',
  method: 'POST',
  path: '/api/v1/metrics/ingest',
  tag: 'Metrics',
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
  jsonLimits: LIMITS,
  takesGzip: true,
  takesNoKey: true,
  answers: { 202: { description: 'What was taken, and what was not.', schema: PushResult } },
  errors: [],
  async handle({ caller, body }, { intake, pushTargets }) {
    const points = body.series.reduce((sum, series) => sum + series.points.length, 0);
    if (points > MAX_POINTS)
      throw new ServiceError('body_too_large', `At most ${MAX_POINTS} points at a time.`);
    const acrossTenants = caller.roles.includes('platform_operator');
    const tenantId = acrossTenants ? null : caller.tenantId;
    const { good: wellFormed, rejected } = checkPoints(body, acrossTenants, intake.bounds());
    const good = await pushTargets.check(tenantId, wellFormed, rejected);
    await intake.publish(toBatches(tenantId, good));
    const accepted = good.reduce((sum, series) => sum + series.times.length, 0);
    const more = rejected.more === 0 ? {} : { moreRejected: rejected.more };
    const named = [...rejected.named].sort(byPlace);
    return { status: 202, body: { accepted, rejected: named, ...more }, withoutToken: true };
  },
});
