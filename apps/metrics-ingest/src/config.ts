import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { integer } from '@novacron/config/settings';

export const settings = {
  ...natsEnv,
  ...postgresEnv,
  ...opsEnv,
  ...telemetryEnv,
  intake: {
    /** Thirteen months, so that a month can be compared with the same one of last year. */
    retentionDays: integer('NOVACRON_METRICS_RETENTION_DAYS', { min: 1, max: 3_650 }, 400),
    /** Points later than this are a wrong clock; the gateway refuses them at the same bound. */
    futureMinutes: integer('NOVACRON_METRICS_FUTURE_MINUTES', { min: 0, max: 10_080 }, 1_440),
  },
};
