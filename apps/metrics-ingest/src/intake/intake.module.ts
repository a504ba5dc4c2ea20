import type { NatsConnection } from '@nats-io/transport-node';
import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { isConnected } from '@novacron/messaging/connect';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { TOKENS } from '@novacron/service-kit/inject';
import { Readiness } from '@novacron/service-kit/readiness';
import { StoreModule } from '../store/store.module.js';
import { VmsModule } from '../vms/vms.module.js';
import { Announcer } from './announcer.js';
import { Ingester } from './ingester.js';
import { exportIngester } from './intake-metrics.js';
import { Leases } from './leases.js';
import { Writer } from './writer.js';

/** From JetStream into the store. */
@Module({
  imports: [StoreModule, VmsModule],
  providers: [
    Leases,
    {
      provide: Announcer,
      inject: [TOKENS.nats],
      useFactory: (nc: NatsConnection) =>
        new Announcer({
          publish: (subject, message) => nc.publish(subject, message),
          connected: () => isConnected(nc),
        }),
    },
    Writer,
    Ingester,
  ],
})
export class IntakeModule implements OnApplicationBootstrap {
  constructor(
    private readonly ingester: Ingester,
    private readonly readiness: Readiness,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'ingester', () => this.ingester.stop());
    this.readiness.add('intake', () => {
      if (!this.ingester.healthy) throw new Error('the ingester is restarting');
    });
    exportIngester(this.ingester);
    this.ingester.start();
  }
}
