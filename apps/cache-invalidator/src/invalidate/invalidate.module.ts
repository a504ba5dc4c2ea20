import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { Readiness } from '@novacron/service-kit/readiness';
import { LedgerModule } from '../ledger/ledger.module.js';
import { RedisModule } from '../redis/redis.module.js';
import { EventConsumer } from './event-consumer.js';
import { GapFiller } from './gap-filler.js';
import { exportInvalidation } from './invalidate-metrics.js';
import { InvalidationPublisher } from './invalidation-publisher.js';
import { InvalidationStatus } from './invalidation-status.js';
import { LedgerFollower } from './ledger-follower.js';
import { exportLedger } from './ledger-metrics.js';
import { MetricsListener } from './metrics-listener.js';
import { TombstoneWriter } from './tombstone-writer.js';

@Module({
  imports: [LedgerModule, RedisModule],
  providers: [
    TombstoneWriter,
    InvalidationPublisher,
    GapFiller,
    LedgerFollower,
    EventConsumer,
    MetricsListener,
    InvalidationStatus,
  ],
  exports: [LedgerFollower, InvalidationStatus],
})
export class InvalidateModule implements OnApplicationBootstrap {
  constructor(
    private readonly tombstones: TombstoneWriter,
    private readonly follower: LedgerFollower,
    private readonly consumer: EventConsumer,
    private readonly metrics: MetricsListener,
    private readonly status: InvalidationStatus,
    private readonly drain: DrainCoordinator,
    private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    const { drain, status } = this;
    exportLedger(this.follower);
    exportInvalidation(status);
    this.readiness.add('ledger', () => {
      if (status.failure !== undefined) throw status.failure as Error;
    });
    // Within a phase the drain runs in reverse: the consumer ends first, the retry queue last.
    drain.add('consumers', 'tombstones', () => this.tombstones.close());
    drain.add('consumers', 'ledger', () => this.follower.stop());
    this.follower.start();
    drain.add('consumers', 'events', () => this.consumer.stop());
    this.consumer.start();
    drain.add('consumers', 'metrics', () => this.metrics.stop());
    this.metrics.start();
  }
}
