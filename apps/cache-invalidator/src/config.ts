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
    /** As long as the orchestrator keeps its events: older ones cannot be fetched. */
    retentionDays: integer('NOVACRON_LEDGER_RETENTION_DAYS', { min: 1, max: 90 }, 7),
  },
  warm: {
    /** Whether a start warms the shared cache. Warming on request is always possible. */
    atStart: flag('NOVACRON_CACHE_WARM', true),
    /** The running VMs to load at most, in all and of one tenant. */
    maxVms: integer('NOVACRON_CACHE_WARM_VMS', { min: 0, max: 1_000_000 }, 5_000),
    maxVmsOfTenant: integer('NOVACRON_CACHE_WARM_VMS_OF_TENANT', { min: 0, max: 1_000_000 }, 500),
    /** VMs whose metrics are loaded too, each by two requests. */
    maxMetrics: integer('NOVACRON_CACHE_WARM_METRICS', { min: 0, max: 1_000_000 }, 500),
    /** Requests to the owning services per second, each for a page of VMs or the metrics of a VM. */
    requestsPerSecond: integer('NOVACRON_CACHE_WARM_RATE', { min: 1, max: 10_000 }, 50),
  },
  check: {
    /** Cached answers that are compared with the truth per second; 0: none. */
    samplesPerSecond: integer('NOVACRON_CACHE_CHECK_RATE', { min: 0, max: 1_000 }, 5),
  },
};

export type CacheConfig = Config<typeof settings>;
