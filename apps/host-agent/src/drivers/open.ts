import { join } from 'node:path';
import { systemClock } from '../clock.js';
import type { AgentConfig } from '../config.js';
import type { HostEntry } from '../hosts-file.js';
import { hashText, seededRandom } from '../random.js';
import type { Driver } from './driver.js';
import { SimulatedDriver } from './simulated/driver.js';
import { readTraces } from './simulated/trace.js';

/** 500 VMs of 2 CPUs, 4 GiB and 50 GiB on each simulated host, and a quarter more. */
const SIMULATED_CAPACITY = { cpu: 1_250, memory: 2_560_000, disk: 31_250 };

/** Opens the driver of one host in its folder. */
export type OpenDriver = (host: HostEntry, folder: string) => Promise<Driver>;

/** What all hosts of the process share (recorded days, the probed accelerator) is made once. */
export async function driverOpener(config: AgentConfig): Promise<OpenDriver> {
  switch (config.agent.driver) {
    case 'simulated':
      return openSimulated(config.simulated);
    case 'qemu':
      throw new Error('the qemu driver is not there yet');
    default:
      return config.agent.driver satisfies never;
  }
}

async function openSimulated(settings: AgentConfig['simulated']): Promise<OpenDriver> {
  const { seed, latencies, failureRates } = settings;
  const traces = settings.trace === undefined ? [] : await readTraces(settings.trace);
  const images = settings.images.split(',').map((image) => image.trim());
  return (host, folder) =>
    SimulatedDriver.open({
      path: join(folder, 'guests.journal'),
      clock: systemClock,
      random: seededRandom(seed ^ hashText(host.hostId)),
      latencies,
      failureRates,
      images,
      capacity: host.capacity ?? SIMULATED_CAPACITY,
      load: { traces, seed },
    });
}
