import { opsEnv, telemetryEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { decimal, integer, oneOf, optionalText, text, url, type Setting } from '@novacron/config/settings';
import { ImageName, ZoneName } from '@novacron/contracts/common';
import { z } from 'zod';

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
    /** The state that must survive a restart: a folder for each host. */
    stateDir: text('NOVACRON_AGENT_STATE_DIR'),
    metricsIntervalMs: integer('NOVACRON_AGENT_METRICS_INTERVAL_MS', { min: 100, max: 3_600_000 }, 10_000),
    overcommit: {
      /** Virtual CPUs for each real one: 4 with QEMU, 1 with simulated hosts. */
      cpu: parsed('NOVACRON_AGENT_CPU_OVERCOMMIT', (value) => factor(value, 64), ''),
      /** GiB of guests' disks per real GiB: above 1, disks are thin and may run full. */
      disk: decimal('NOVACRON_AGENT_DISK_OVERCOMMIT', { min: 1, max: 16 }, 1),
    },
    /** The bound of points that wait for JetStream in this process; the oldest are dropped first. */
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
    /** GiB of the guests' file system that are not promised to guests. */
    diskReserveGib: decimal('NOVACRON_AGENT_DISK_RESERVE_GIB', { min: 0, max: 1_000_000 }, 5),
    /** A folder for each image, with vmlinuz, initramfs.gz and image.json. */
    imagesDir: optionalText('NOVACRON_AGENT_IMAGES_DIR'),
    accelerator: oneOf('NOVACRON_AGENT_QEMU_ACCEL', ['auto', 'kvm', 'tcg'], 'auto'),
  },
};

export type AgentConfig = Config<typeof settings>;

/** Undefined for an empty value. */
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

/** @throws Error that names the allowed characters */
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

/**
 * Operations whose time and failure rate can be set. `boot` and `powerdown` are the guest's own: from its start to
 * "I am up", and from the button to off.
 */
export const OPERATIONS = [
  'create',
  'start',
  'shutdown',
  'force-stop',
  'reboot',
  'reset',
  'pause',
  'resume',
  'delete',
  'boot',
  'powerdown',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Milliseconds that each operation takes. */
export type Latencies = Readonly<Record<Operation, number>>;
/** The share of each operation that fails, 0–1. For `powerdown`: guests that ignore the power button. For `boot`: guests that never come up. */
export type FailureRates = Readonly<Record<Operation, number>>;

/** About what a small hypervisor on local disks needs. */
export const DEFAULT_LATENCIES: Latencies = {
  create: 50,
  start: 100,
  shutdown: 10,
  'force-stop': 20,
  reboot: 150,
  reset: 50,
  pause: 10,
  resume: 10,
  delete: 30,
  boot: 0,
  powerdown: 300,
};
export const NO_FAILURES: FailureRates = Object.fromEntries(
  OPERATIONS.map((operation) => [operation, 0]),
) as unknown as FailureRates;

/**
 * For example `create=200ms,start=1.5s`, `all=5ms,start=1s`, or `0` for all. Other operations keep their defaults.
 * @throws Error that names the wrong part
 */
export function parseLatencies(text: string): Latencies {
  return parseByOperation(text, DEFAULT_LATENCIES, (value) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(value);
    return match ? Number(match[1]) * (match[2] === 's' ? 1_000 : 1) : undefined;
  });
}

/** For example `start=0.01,powerdown=5%`: the share that fails. Other operations never fail. */
export function parseFailureRates(text: string): FailureRates {
  return parseByOperation(text, NO_FAILURES, (value) => {
    const match = /^(\d+(?:\.\d+)?)(%)?$/.exec(value);
    const rate = match ? Number(match[1]) / (match[2] ? 100 : 1) : Number.NaN;
    return rate >= 0 && rate <= 1 ? rate : undefined;
  });
}

function parseByOperation(
  text: string,
  defaults: Readonly<Record<Operation, number>>,
  value: (text: string) => number | undefined,
): Record<Operation, number> {
  const result = { ...defaults };
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const [name = '', given] = part.includes('=')
      ? part.split('=', 2).map((piece) => piece.trim())
      : ['all', part.trim()];
    const number = value(given ?? '');
    const named = name === 'all' ? OPERATIONS : OPERATIONS.filter((operation) => operation === name);
    if (number === undefined || named.length === 0) {
      throw new Error(
        `"${part.trim()}" is not OPERATION=VALUE with an operation of ${OPERATIONS.join(', ')} or all`,
      );
    }
    for (const operation of named) result[operation] = number;
  }
  return result;
}
