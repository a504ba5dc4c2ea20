import { natsEnv, opsEnv, postgresEnv, redisEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { flag, integer } from '@novacron/config/settings';

export const settings = {
  ...natsEnv,
  ...postgresEnv,
  ...redisEnv,
  ...opsEnv,
  ...telemetryEnv,
  ledger: {
    /** As long as the orchestrator keeps its events: older ones cannot be asked for anyway. */
    retentionDays: integer('NOVACRON_LEDGER_RETENTION_DAYS', { min: 1, max: 90 }, 7),
  },
  warm: {
    /** Whether the shared cache is warmed after a start; on request it always is. */
    atStart: flag('NOVACRON_CACHE_WARM', true),
    /** Running VMs loaded at most, in all and of one tenant. */
    maxVms: integer('NOVACRON_CACHE_WARM_VMS', { min: 0, max: 1_000_000 }, 5_000),
    maxVmsOfTenant: integer('NOVACRON_CACHE_WARM_VMS_OF_TENANT', { min: 0, max: 1_000_000 }, 500),
    /** VMs whose metrics are loaded too, each by two questions. */
    maxMetrics: integer('NOVACRON_CACHE_WARM_METRICS', { min: 0, max: 1_000_000 }, 500),
    /** Questions to the owning services each second, a page of VMs or a VM's metrics each. */
    requestsPerSecond: integer('NOVACRON_CACHE_WARM_RATE', { min: 1, max: 10_000 }, 50),
  },
  check: {
    /** Cached answers held against the truth each second; 0: none. */
    samplesPerSecond: integer('NOVACRON_CACHE_CHECK_RATE', { min: 0, max: 1_000 }, 5),
  },
};

export type CacheConfig = Config<typeof settings>;
