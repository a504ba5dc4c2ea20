import { Module } from '@nestjs/common';
import type { Database } from '@novacron/postgres/database';
import { TOKENS } from '@novacron/service-kit/inject';
import type { MetricsConfig } from '../config.js';
import { Housekeeping } from './housekeeping.js';
import { MetricNames } from './metric-names.js';
import { Partitions } from './partitions.js';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

/** The points, their names, and the newest of each series. */
@Module({
  providers: [
    {
      provide: Partitions,
      inject: [TOKENS.systemDatabase, TOKENS.config],
      useFactory: (db: Database, { metricTimes }: MetricsConfig) =>
        new Partitions(db, {
          retentionMs: metricTimes.retentionDays * DAY_MS,
          futureMs: metricTimes.futureMinutes * MINUTE_MS,
        }),
    },
    {
      provide: MetricNames,
      inject: [TOKENS.systemDatabase],
      useFactory: (db: Database) => new MetricNames(db),
    },
    Housekeeping,
  ],
  exports: [Partitions, MetricNames],
})
export class StoreModule {}
