import { Controller } from '@nestjs/common';
import { metricsRpc } from '@novacron/contracts/metrics';
import type { InputOf } from '@novacron/contracts/operation';
import {
  latestMetrics,
  pushMetrics,
  queryMetrics,
  showMetricsIntake,
} from '@novacron/contracts/operations/metrics';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import { ReadResponder } from '../http/read-responder.js';
import { cacheableQuery } from '../reads/cacheable-query.js';
import type { Requester } from '../reads/requester.js';
import { latestQuery, rangeQuery } from './metric-queries.js';
import { MetricsPusher } from './metrics-pusher.js';

@Controller()
export class MetricsController {
  constructor(
    private readonly pusher: MetricsPusher,
    private readonly reads: ReadResponder,
  ) {}

  @Operation(pushMetrics)
  push(
    @Input() { body }: InputOf<typeof pushMetrics>,
    @CurrentRequester() { caller }: Requester,
  ): Promise<Answer> {
    return this.pusher.push(caller, body);
  }

  @Operation(queryMetrics)
  query(
    @Input() input: InputOf<typeof queryMetrics>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, rangeQuery(input));
  }

  @Operation(latestMetrics)
  latest(
    @Input() input: InputOf<typeof latestMetrics>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, latestQuery(input));
  }

  @Operation(showMetricsIntake)
  intake(
    @Input() _input: InputOf<typeof showMetricsIntake>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, cacheableQuery(metricsRpc.intake, {}, null));
  }
}
