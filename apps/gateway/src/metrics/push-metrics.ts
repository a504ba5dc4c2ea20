import { PushMetrics, PushResult } from '@novacron/contracts/metrics';
import { ServiceError } from '@novacron/contracts/errors';
import { defineRoute } from '../edge/route.js';
import { toBatches } from './batches.js';
import { checkPoints } from './check-points.js';

const MAX_POINTS = 200_000;
/** A point is three values; up to 1,000 series have four more each. */
const LIMITS = { depth: 5, fields: 16, items: 50_000, values: 3 * MAX_POINTS + 10_000, string: 2_000 };

export const pushMetrics = defineRoute({
  id: 'pushMetrics',
  method: 'POST',
  path: '/api/v1/metrics/ingest',
  tag: 'Metrics',
  summary: 'Push metric points',
  description:
    'Good points are kept and bad ones named: the first 1,000 of them, `moreRejected` counts the others. 202 says that the points are stored durably on their way in; ' +
    'queries show them shortly after. Points older than the retention or too far ahead are bad ones. Built-in names are for agents and platform operators. Pushing the same ' +
    'points again changes nothing, so no Idempotency-Key is needed.',
  access: 'operate',
  body: PushMetrics,
  bodyLimit: 8 * 1_048_576,
  jsonLimits: LIMITS,
  takesNoKey: true,
  answers: { 202: { description: 'What was taken, and what was not.', schema: PushResult } },
  errors: [],
  async handle({ caller, body }, { intake }) {
    const points = body.series.reduce((sum, series) => sum + series.points.length, 0);
    if (points > MAX_POINTS)
      throw new ServiceError('body_too_large', `At most ${MAX_POINTS} points at a time.`);
    const acrossTenants = caller.roles.includes('platform_operator');
    const { good, rejected } = checkPoints(body, acrossTenants, intake.bounds());
    await intake.publish(toBatches(acrossTenants ? null : caller.tenantId, good));
    const accepted = good.reduce((sum, series) => sum + series.times.length, 0);
    const more = rejected.more === 0 ? {} : { moreRejected: rejected.more };
    return { status: 202, body: { accepted, rejected: rejected.named, ...more }, withoutToken: true };
  },
});
