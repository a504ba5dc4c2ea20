import { Module } from '@nestjs/common';
import type { JetStreamClient } from '@nats-io/jetstream';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { TOKENS } from '@novacron/service-kit/inject';
import type { GatewayConfig } from '../config.js';
import { HttpModule } from '../http/http.module.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsPublisher } from './metrics-publisher.js';
import { MetricsPusher } from './metrics-pusher.js';
import { PushTargets } from './push-targets.js';

@Module({
  imports: [HttpModule],
  controllers: [MetricsController],
  providers: [
    {
      provide: MetricsPublisher,
      inject: [TOKENS.jetStream, TOKENS.config],
      useFactory: (js: JetStreamClient, { metricTimes }: GatewayConfig) =>
        new MetricsPublisher(js, metricTimes),
    },
    { provide: PushTargets, inject: [RpcClient], useFactory: (rpc: RpcClient) => new PushTargets(rpc) },
    MetricsPusher,
  ],
})
export class MetricsModule {}
