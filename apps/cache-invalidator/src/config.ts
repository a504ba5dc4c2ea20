import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { integer } from '@novacron/config/settings';

export const settings = {
  ...natsEnv,
  ...postgresEnv,
  ...opsEnv,
  ...telemetryEnv,
  ledger: {
    /** As long as the orchestrator keeps its events: older ones cannot be asked for anyway. */
    retentionDays: integer('NOVACRON_LEDGER_RETENTION_DAYS', { min: 1, max: 90 }, 7),
  },
};

export type CacheConfig = Config<typeof settings>;
