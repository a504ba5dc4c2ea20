import { Module } from '@nestjs/common';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { settings } from './config.js';
import { IntakeModule } from './intake/intake.module.js';
import { migrations } from './migrations/all.js';
import { QueryModule } from './query/query.module.js';

@Module({ imports: [IntakeModule, QueryModule] })
export class AppModule {}

/** metrics-ingest: receives metric batches and answers queries of time series. */
export const service: ServiceSpec<typeof settings> = {
  name: 'metrics',
  settings,
  postgres: { schema: 'metrics', migrations },
  streams: ['METRICS'],
  module: AppModule,
};
