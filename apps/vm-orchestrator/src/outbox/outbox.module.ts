import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Relay } from '@novacron/outbox/relay';
import type { Database } from '@novacron/postgres/database';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { TOKENS } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { observableGauge } from '@novacron/telemetry/metrics';
import { countSetAside } from './set-aside.js';

/** The relay of this service's events. A provider that has written events wakes it after the commit. */
@Module({
  providers: [
    {
      provide: Relay,
      inject: [TOKENS.systemDatabase, TOKENS.nats, TOKENS.jetStream, TOKENS.logger],
      useFactory: (database: Database, nc: NatsConnection, js: JetStreamClient, log: Logger) =>
        new Relay({ database, nc, js, service: 'orchestrator', log, onSetAside: countSetAside }),
    },
  ],
  exports: [Relay],
})
export class OutboxModule implements OnApplicationBootstrap {
  constructor(
    private readonly relay: Relay,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('nats', 'relay', () => this.relay.stop());
    this.relay.start();
    observableGauge('novacron_outbox_seq', 'Numbers of the newest events', (observe) => {
      const { numbered, published } = this.relay.stats();
      observe(numbered, { stage: 'numbered' });
      observe(published, { stage: 'published' });
    });
  }
}
