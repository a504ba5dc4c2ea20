import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { integer, oneOf, optionalText, type Setting } from '@novacron/config/settings';
import { z } from 'zod';

/** An image that hosts may offer. */
export interface CatalogueEntry {
  readonly name: string;
  /** Whether a VM loses nothing by a new disk on another host: its disk has no data of its own. */
  readonly rebuildable: boolean;
}

/** The orchestrator's settings, each an environment variable. Sizes: `cpu` vCPUs, `memory` MiB, `disk` GiB. */
export const orchestratorSettings = {
  ...natsEnv,
  ...opsEnv,
  ...postgresEnv,
  ...telemetryEnv,
  jobs: {
    /** Jobs that this process runs at once. */
    slots: integer('NOVACRON_JOB_SLOTS', { min: 1, max: 10_000 }, 256),
    /** Jobs in progress over all processes; beyond it requests are refused with 503. */
    maxLive: integer('NOVACRON_JOB_QUEUE', { min: 1, max: 1_000_000 }, 10_000),
    /** How long a host may take to answer. Agents say `accepted` sooner; the lease of a job is far longer. */
    commandTimeoutMs: integer('NOVACRON_COMMAND_TIMEOUT_MS', { min: 100, max: 20_000 }, 5_000),
  },
  hosts: {
    /**
     * `approved`: a new host needs a line of the operator's list or a join token. `first`: it must agree with its first
     * registration.
     */
    admission: oneOf('NOVACRON_HOST_ADMISSION', ['approved', 'first'], 'approved'),
    /** The operator's list of hosts, a JSON file that is read again when it changes. */
    approved: optionalText('NOVACRON_APPROVED_HOSTS'),
    /** The catalogue: names of images, separated by commas; `NAME:rebuildable` where a VM's disk has no data of its own. */
    images: catalogue(
      'NOVACRON_IMAGES',
      'ubuntu-22.04,ubuntu-24.04,debian-12,rocky-9,alpine-3.20,tiny-linux',
    ),
  },
  /** The limits of a tenant without limits of its own: 12,000 VMs of 2 vCPU, 4 GiB and 50 GiB. */
  quota: {
    vms: integer('NOVACRON_QUOTA_VMS', { min: 0, max: 10_000_000 }, 12_000),
    cpu: integer('NOVACRON_QUOTA_CPU', { min: 0, max: 100_000_000 }, 24_000),
    memory: integer('NOVACRON_QUOTA_MEMORY', { min: 0, max: 1_000_000_000_000 }, 49_152_000),
    disk: integer('NOVACRON_QUOTA_DISK', { min: 0, max: 1_000_000_000 }, 600_000),
  },
};

function catalogue(variable: string, fallback: string): Setting<CatalogueEntry[]> {
  const schema = z
    .string()
    .default(fallback)
    .transform((value) => value.split(',').map((entry) => entry.trim()))
    .pipe(
      z.array(
        z
          .string()
          .regex(
            /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(:rebuildable)?$/,
            'must be names like ubuntu-22.04 or NAME:rebuildable',
          )
          .transform((entry) => ({
            name: entry.split(':', 1)[0] as string,
            rebuildable: entry.endsWith(':rebuildable'),
          })),
      ),
    );
  return { variable, schema, secret: false };
}

export type OrchestratorConfig = Config<typeof orchestratorSettings>;
