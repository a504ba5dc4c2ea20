import { Module } from '@nestjs/common';
import { CheckModule } from '../check/check.module.js';
import { InvalidateModule } from '../invalidate/invalidate.module.js';
import { LedgerModule } from '../ledger/ledger.module.js';
import { RedisModule } from '../redis/redis.module.js';
import { WarmModule } from '../warm/warm.module.js';
import { CacheStats } from './cache-stats.js';
import { StatsController } from './stats.controller.js';

@Module({
  imports: [CheckModule, InvalidateModule, LedgerModule, RedisModule, WarmModule],
  controllers: [StatsController],
  providers: [CacheStats],
})
export class StatsModule {}
