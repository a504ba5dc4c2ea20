import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { ServiceConfig } from '@novacron/service-kit/inject';
import type { CacheConfig } from '../config.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { RedisModule } from '../redis/redis.module.js';
import { ActiveTenants } from './active-tenants.js';
import { Warmer } from './warmer.js';

@Module({
  imports: [LedgerModule, RedisModule],
  providers: [ActiveTenants, Warmer],
  exports: [Warmer],
})
export class WarmModule implements OnApplicationBootstrap {
  constructor(
    private readonly warmer: Warmer,
    private readonly drain: DrainCoordinator,
    @ServiceConfig() private readonly config: CacheConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'warmer', () => this.warmer.stop());
    if (this.config.warm.atStart) void this.warmer.run();
  }
}
