import { Module } from '@nestjs/common';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { CheckModule } from './check/check.module.js';
import { settings } from './config.js';
import { InvalidateModule } from './invalidate/invalidate.module.js';
import { LedgerModule } from './ledger/ledger.module.js';
import { migrations } from './migrations/all.js';
import { StatsModule } from './stats/stats.module.js';
import { WarmModule } from './warm/warm.module.js';

@Module({ imports: [LedgerModule, InvalidateModule, WarmModule, CheckModule, StatsModule] })
export class AppModule {}

export const service: ServiceSpec<typeof settings> = {
  name: 'cache',
  settings,
  postgres: { schema: 'cache', migrations },
  module: AppModule,
};
