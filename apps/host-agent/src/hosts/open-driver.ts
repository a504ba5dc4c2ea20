import { ConfigError } from '@novacron/config/load';
import type { Logger } from '@novacron/telemetry/logger';
import { join } from 'node:path';
import { systemClock } from '../time/clock.js';
import type { AgentConfig } from '../config.js';
import type { HostEntry } from './hosts-file.js';
import { fnv1a } from '@novacron/async/hash';
import { seededRandom } from '@novacron/async/random';
import type { Driver } from '../drivers/driver.js';
import { probeAccelerator } from '../drivers/qemu/accelerator.js';
import { QemuDriver } from '../drivers/qemu/driver.js';
import { QEMU_PROGRAMS } from '../drivers/qemu/programs.js';
import { SimulatedDriver } from '../drivers/simulated/driver.js';
import { readTraces } from '../drivers/simulated/trace.js';

/** Room for 500 VMs of 2 CPUs, 4 GiB and 50 GiB on each simulated host, and a quarter more. */
const SIMULATED_CAPACITY = { cpu: 1_250, memory: 2_560_000, disk: 31_250 };

/** Opens the driver of one host in its folder; `releaseReserve` gives it space on a full disk. */
export type OpenDriver = (host: HostEntry, folder: string, releaseReserve: () => boolean) => Promise<Driver>;

/** Prepares once the resources that all hosts of the process share: recorded days, the probed accelerator. */
export async function driverOpener(config: AgentConfig, logger: Logger): Promise<OpenDriver> {
  switch (config.agent.driver) {
    case 'simulated':
      return openSimulated(config.simulated);
    case 'qemu':
      return openQemu(config.qemu, logger);
    default:
      return config.agent.driver satisfies never;
  }
}

async function openSimulated(settings: AgentConfig['simulated']): Promise<OpenDriver> {
  const { seed, latencies, failureRates } = settings;
  const traces = settings.trace === undefined ? [] : await readTraces(settings.trace);
  return (host, folder, releaseReserve) =>
    SimulatedDriver.open({
      path: join(folder, 'guests.journal'),
      releaseReserve,
      clock: systemClock,
      random: seededRandom(seed ^ fnv1a(host.hostId)),
      latencies,
      failureRates,
      images: settings.images,
      capacity: host.capacity ?? SIMULATED_CAPACITY,
      load: { traces, seed },
    });
}

async function openQemu(settings: AgentConfig['qemu'], logger: Logger): Promise<OpenDriver> {
  const { imagesDir, accelerator: wanted, diskReserveGib } = settings;
  if (imagesDir === undefined)
    throw new ConfigError([{ variable: 'NOVACRON_AGENT_IMAGES_DIR', problem: 'is missing' }]);
  const accelerator = wanted === 'auto' ? await probeAccelerator(QEMU_PROGRAMS.qemu) : wanted;
  logger.info({ accelerator, wanted }, 'QEMU accelerator chosen');
  return (host, folder) =>
    QemuDriver.open({
      folder: join(folder, 'vms'),
      imagesFolder: imagesDir,
      diskReserveGib,
      accelerator,
      programs: QEMU_PROGRAMS,
      clock: systemClock,
      onWarning: (message, error) => logger.warn({ err: error, hostId: host.hostId }, message),
    });
}
