import { Injectable } from '@nestjs/common';
import { ServiceError } from '@novacron/contracts/errors';
import type { PushMetrics, PushResult } from '@novacron/contracts/metrics';
import { MAX_PUSHED_POINTS } from '@novacron/contracts/operations/metrics';
import type { Answer } from '../http/answer.js';
import type { Caller } from '../reads/caller.js';
import { toBatches } from './batches.js';
import { checkPoints } from './check-points.js';
import { MetricsPublisher } from './metrics-publisher.js';
import { PushTargets } from './push-targets.js';

type Rejection = PushResult['rejected'][number];
const byPlace = (a: Rejection, b: Rejection) => a.series - b.series || (a.point ?? -1) - (b.point ?? -1);

/** Checks pushed points one by one, and publishes the good ones. */
@Injectable()
export class MetricsPusher {
  constructor(
    private readonly publisher: MetricsPublisher,
    private readonly targets: PushTargets,
  ) {}

  async push(caller: Caller, body: PushMetrics): Promise<Answer> {
    const points = body.series.reduce((sum, series) => sum + series.points.length, 0);
    if (points > MAX_PUSHED_POINTS)
      throw new ServiceError('body_too_large', `At most ${MAX_PUSHED_POINTS} points at a time.`);
    const acrossTenants = caller.roles.includes('platform_operator');
    const tenantId = acrossTenants ? null : caller.tenantId;
    const { good: wellFormed, rejected } = checkPoints(body, acrossTenants, this.publisher.bounds());
    const good = await this.targets.check(tenantId, wellFormed, rejected);
    await this.publisher.publish(toBatches(tenantId, good));
    const accepted = good.reduce((sum, series) => sum + series.times.length, 0);
    const more = rejected.more === 0 ? {} : { moreRejected: rejected.more };
    const named = [...rejected.named].sort(byPlace);
    return { status: 202, body: { accepted, rejected: named, ...more }, withoutToken: true };
  }
}
