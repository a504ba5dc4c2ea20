import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { Relay } from '@novacron/outbox/relay';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { observableGauge } from '@novacron/telemetry/metrics';
import { EventRelay } from './event-relay.js';

/** The relay of this service's events. A provider that has written events wakes it after the commit. */
@Module({
  providers: [{ provide: Relay, useClass: EventRelay }],
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
