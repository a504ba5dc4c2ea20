import { Controller } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import {
  metricsRpc,
  type LatestQuery,
  type LatestResult,
  type RangeQuery,
  type RangeResult,
} from '@novacron/contracts/metrics';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { SeriesReader } from './series-reader.js';

/** Serves the series of a VM over request/reply. */
@Controller()
export class SeriesController {
  constructor(private readonly reader: SeriesReader) {}

  @RpcHandler(metricsRpc.range)
  range({ meta, body }: RpcRequest<RangeQuery>): Promise<RpcReply<RangeResult>> {
    return this.reader.range(meta, body);
  }

  @RpcHandler(metricsRpc.latest)
  latest({ meta, body }: RpcRequest<LatestQuery>): Promise<RpcReply<LatestResult>> {
    return this.reader.latest(meta, body);
  }
}
