import { Module } from '@nestjs/common';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { HttpModule } from '../http/http.module.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsPublisher } from './metrics-publisher.js';
import { MetricsPusher } from './metrics-pusher.js';
import { PushTargets } from './push-targets.js';

@Module({
  imports: [HttpModule],
  controllers: [MetricsController],
  providers: [
    MetricsPublisher,
    { provide: PushTargets, inject: [RpcClient], useFactory: (rpc: RpcClient) => new PushTargets(rpc) },
    MetricsPusher,
  ],
})
export class MetricsModule {}
