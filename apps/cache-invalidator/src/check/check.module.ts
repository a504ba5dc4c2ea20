import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { InvalidateModule } from '../invalidate/invalidate.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { RedisModule } from '../redis/redis.module.js';
import { Checker } from './checker.js';
import { LaterEvents } from './later-events.js';
import { OwnerStates } from './owner-states.js';

@Module({
  imports: [InvalidateModule, LedgerModule, RedisModule],
  providers: [LaterEvents, OwnerStates, Checker],
  exports: [Checker],
})
export class CheckModule implements OnApplicationBootstrap {
  constructor(
    private readonly checker: Checker,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'checker', () => this.checker.stop());
    this.checker.start();
  }
}
