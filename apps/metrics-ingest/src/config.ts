import { metricTimesEnv, natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';

export const settings = { ...natsEnv, ...postgresEnv, ...opsEnv, ...telemetryEnv, ...metricTimesEnv };
