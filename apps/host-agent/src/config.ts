import { opsEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { decimal, integer, oneOf, optionalText, text, url, type Setting } from '@novacron/config/settings';
import { ImageName, ZoneName } from '@novacron/contracts/common';
import { z } from 'zod';
import { parseFailureRates, parseLatencies } from './drivers/simulated/settings.js';

const SIMULATED_IMAGES = 'ubuntu-22.04,ubuntu-24.04,debian-12,rocky-9,alpine-3.20,tiny-linux';

/** The environment of a host agent. */
export const settings = {
  ...opsEnv,
  ...telemetryEnv,
  /** Each host logs in with its own user, named in the hosts file. */
  natsUrl: url('NOVACRON_NATS_URL', ['nats:', 'tls:'], 'nats://127.0.0.1:4222'),
  agent: {
    driver: oneOf('NOVACRON_AGENT_DRIVER', ['simulated', 'qemu']),
    zone: parsed('NOVACRON_AGENT_ZONE', parseZone),
    /** Path of a JSON file: see hosts-file.ts. */
    hosts: text('NOVACRON_AGENT_HOSTS'),
    /** What must survive a restart: a folder for each host. */
    stateDir: text('NOVACRON_AGENT_STATE_DIR'),
    metricsIntervalMs: integer('NOVACRON_AGENT_METRICS_INTERVAL_MS', { min: 100, max: 3_600_000 }, 10_000),
    overcommit: {
      /** Virtual CPUs for each real one: 4 with QEMU, 1 with simulated hosts. */
      cpu: parsed('NOVACRON_AGENT_CPU_OVERCOMMIT', (value) => factor(value, 64), ''),
      /** GiB of guests' disks that are promised for each GiB: above 1, disks are thin and may run full. */
      disk: decimal('NOVACRON_AGENT_DISK_OVERCOMMIT', { min: 1, max: 16 }, 1),
    },
    /** Waits in this process for JetStream at most; the oldest points go first. */
    metricsBufferMib: integer('NOVACRON_AGENT_METRICS_BUFFER_MIB', { min: 1, max: 4_096 }, 32),
  },
  simulated: {
    /** `create=200ms,start=1s`, `all=0`, or `0`; defaults are those of a small real host. */
    latencies: parsed('NOVACRON_AGENT_SIM_LATENCY', parseLatencies, ''),
    /** `start=1%,powerdown=0.05`: how often an operation fails, or the guest ignores the power button. */
    failureRates: parsed('NOVACRON_AGENT_SIM_FAILURE', parseFailureRates, ''),
    seed: integer('NOVACRON_AGENT_SIM_SEED', { min: 0, max: 4_294_967_295 }, 1),
    /** A folder or tar of recorded days; without one guests follow a daily cycle of their own. */
    trace: optionalText('NOVACRON_AGENT_SIM_TRACE'),
    images: parsed('NOVACRON_AGENT_SIM_IMAGES', parseImages, SIMULATED_IMAGES),
  },
  qemu: {
    /** GiB of the guests' file system that no guest is promised. */
    diskReserveGib: decimal('NOVACRON_AGENT_DISK_RESERVE_GIB', { min: 0, max: 1_000_000 }, 5),
    /** A folder for each image, with vmlinuz, initramfs.gz and image.json. */
    imagesDir: optionalText('NOVACRON_AGENT_IMAGES_DIR'),
    accelerator: oneOf('NOVACRON_AGENT_QEMU_ACCEL', ['auto', 'kvm', 'tcg'], 'auto'),
  },
};

export type AgentConfig = Config<typeof settings>;

/** Undefined when nothing is said. */
function factor(value: string, max: number): number | undefined {
  if (value === '') return undefined;
  const number = Number(value);
  if (!(number >= 1 && number <= max)) throw new Error(`a number from 1 to ${max}`);
  return number;
}

function parseZone(text: string): string {
  return nameOrThrow(ZoneName, text);
}

function parseImages(text: string): string[] {
  return text.split(',').map((image) => nameOrThrow(ImageName, image.trim()));
}

/** @throws Error that says which characters the name may have */
function nameOrThrow(schema: z.ZodType<string>, name: string): string {
  const parsed = schema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new Error(`${JSON.stringify(name)}: ${parsed.error.issues[0]?.message}`);
}

/** Required unless a default is given. */
function parsed<T>(variable: string, parse: (text: string) => T, fallback?: string): Setting<T> {
  const text = fallback === undefined ? z.string() : z.string().default(fallback);
  const schema = text.transform((value, context) => {
    try {
      return parse(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `is wrong: ${(error as Error).message}` });
      return z.NEVER;
    }
  });
  return { variable, schema, secret: false };
}
