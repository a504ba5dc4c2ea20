import type { ServiceSpec } from '@novacron/service-kit/run';
import { settings } from './config.js';
import { exportIntake } from './intake/intake-metrics.js';
import { ownedBy } from './intake/locate.js';
import { MetricsIngest } from './metrics-ingest.js';
import { migrations } from './migrations/all.js';
import { AccountReader } from './query/account-reader.js';
import { IntakeController } from './query/intake.controller.js';
import { SeriesController } from './query/series.controller.js';
import { SeriesReader } from './query/series-reader.js';

class MetricsModule {}

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** metrics-ingest: what it is made of and in which order it starts. */
export const service: ServiceSpec<typeof settings> = {
  name: 'metrics',
  settings,
  postgres: { schema: 'metrics', migrations },
  streams: ['METRICS'],
  module: ({ api, rpc }) => ({
    module: MetricsModule,
    controllers: [SeriesController, IntakeController],
    providers: [
      { provide: SeriesReader, useValue: new SeriesReader(api, ownedBy(rpc)) },
      { provide: AccountReader, useValue: new AccountReader(api) },
    ],
  }),
  onStart: ({ nc, sys, rpc, logger, config, drain, readiness }) => {
    const { retentionDays, futureMinutes } = config.metricTimes;
    const times = { retentionMs: retentionDays * DAY, futureMs: futureMinutes * MINUTE };
    const ingest = new MetricsIngest({ nc, db: sys, rpc, logger, ...times });
    drain.add('consumers', 'intake', () => ingest.stop());
    readiness.add('intake', () => {
      if (!ingest.intake.healthy) throw new Error('the intake is being built again');
    });
    exportIntake(ingest.intake);
    ingest.start();
  },
};
