import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { loadConfig } from '@novacron/config/load';
import { integer } from '@novacron/config/settings';

const settings = {
  ...natsEnv,
  ...postgresEnv,
  ...opsEnv,
  ...telemetryEnv,
  /** Thirteen months, so that a month can be compared with the same one of last year. */
  retentionDays: integer('NOVACRON_METRICS_RETENTION_DAYS', { min: 1, max: 3_650 }, 400),
  /** Points later than this are a wrong clock. */
  futureMinutes: integer('NOVACRON_METRICS_FUTURE_MINUTES', { min: 0, max: 1_440 }, 60),
};

/** The service's configuration. @throws ConfigError with all mistakes */
export const readConfig = (env?: Readonly<Record<string, string | undefined>>) => loadConfig(settings, env);
export type MetricsConfig = ReturnType<typeof readConfig>;
