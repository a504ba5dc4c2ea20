import { ServiceError } from '@novacron/contracts/errors';
import type { PushResult } from '@novacron/contracts/metrics';
import { MAX_PUSHED_POINTS, pushMetrics } from '@novacron/contracts/operations/metrics';
import { implement } from '../http/route.js';
import { toBatches } from './batches.js';
import { checkPoints } from './check-points.js';

type Rejection = PushResult['rejected'][number];
const byPlace = (a: Rejection, b: Rejection) => a.series - b.series || (a.point ?? -1) - (b.point ?? -1);

export const pushMetricsRoute = implement(pushMetrics, async ({ caller, body }, { intake, pushTargets }) => {
  const points = body.series.reduce((sum, series) => sum + series.points.length, 0);
  if (points > MAX_PUSHED_POINTS)
    throw new ServiceError('body_too_large', `At most ${MAX_PUSHED_POINTS} points at a time.`);
  const acrossTenants = caller.roles.includes('platform_operator');
  const tenantId = acrossTenants ? null : caller.tenantId;
  const { good: wellFormed, rejected } = checkPoints(body, acrossTenants, intake.bounds());
  const good = await pushTargets.check(tenantId, wellFormed, rejected);
  await intake.publish(toBatches(tenantId, good));
  const accepted = good.reduce((sum, series) => sum + series.times.length, 0);
  const more = rejected.more === 0 ? {} : { moreRejected: rejected.more };
  const named = [...rejected.named].sort(byPlace);
  return { status: 202, body: { accepted, rejected: named, ...more }, withoutToken: true };
});
