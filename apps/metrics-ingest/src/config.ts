import { metricTimesEnv, natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';

export const settings = { ...natsEnv, ...postgresEnv, ...opsEnv, ...telemetryEnv, ...metricTimesEnv };

export type MetricsConfig = Config<typeof settings>;
