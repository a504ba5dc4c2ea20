import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { integer } from '@novacron/config/settings';

/** Everything that the orchestrator is told by its environment. Sizes: `cpu` vCPUs, `memory` MiB, `disk` GiB. */
export const orchestratorSettings = {
  ...natsEnv,
  ...opsEnv,
  ...postgresEnv,
  ...telemetryEnv,
  jobs: {
    /** Jobs worked on at once by this process. */
    slots: integer('NOVACRON_JOB_SLOTS', { min: 1, max: 10_000 }, 256),
    /** Jobs in progress over all processes; beyond it requests are refused with 503. */
    maxLive: integer('NOVACRON_JOB_QUEUE', { min: 1, max: 1_000_000 }, 10_000),
    /** How long a host may take to answer. Agents say `accepted` sooner; the lease of a job is far longer. */
    commandTimeoutMs: integer('NOVACRON_COMMAND_TIMEOUT_MS', { min: 100, max: 20_000 }, 5_000),
  },
  /** What a tenant without limits of its own may have: 12,000 VMs of 2 vCPU, 4 GiB and 50 GiB. */
  quota: {
    vms: integer('NOVACRON_QUOTA_VMS', { min: 0, max: 10_000_000 }, 12_000),
    cpu: integer('NOVACRON_QUOTA_CPU', { min: 0, max: 100_000_000 }, 24_000),
    memory: integer('NOVACRON_QUOTA_MEMORY', { min: 0, max: 1_000_000_000_000 }, 49_152_000),
    disk: integer('NOVACRON_QUOTA_DISK', { min: 0, max: 1_000_000_000 }, 600_000),
  },
};

export type OrchestratorConfig = Config<typeof orchestratorSettings>;
