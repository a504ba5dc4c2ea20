import type { Capacity } from '@novacron/contracts/infrastructure';
import type { VmConfig } from '@novacron/contracts/vms';
import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { z } from 'zod';
import type { Sample } from '../driver.js';
import type { GuestHandle } from './guest-handle.js';

const BlockStats = z.array(z.object({ stats: z.object({ rd_bytes: z.number(), wr_bytes: z.number() }) }));
/** Virtual CPUs for each real one, and the share of the memory that guests may have. */
const CPU_OVERCOMMIT = 4;
const MEMORY_SHARE = 0.8;
const MIB = 1_048_576;
const GIB = 1_073_741_824;

/** What this machine offers; disks are sparse and lie in `folder`. */
export async function readCapacity(folder: string): Promise<Capacity> {
  const { blocks, bsize } = await statfs(folder);
  return {
    cpu: availableParallelism() * CPU_OVERCOMMIT,
    memory: Math.floor((totalmem() / MIB) * MEMORY_SHARE),
    disk: Math.floor((blocks * bsize) / GIB),
  };
}

/**
 * CPU and memory of the guest's process (/proc), bytes of its disks (QMP `query-blockstats`). Guests have no
 * network yet. Undefined when the guest is gone.
 */
export async function sampleGuest(
  handle: GuestHandle,
  given: VmConfig,
  time: number,
): Promise<Sample | undefined> {
  const usage = await handle.usage(given);
  if (!usage) return undefined;
  const disks = BlockStats.parse(await handle.execute('query-blockstats'));
  return {
    vmId: handle.vmId,
    time,
    values: {
      cpu_usage: usage.cpu,
      memory_usage: usage.memory,
      disk_read_bytes: disks.reduce((sum, { stats }) => sum + stats.rd_bytes, 0),
      disk_write_bytes: disks.reduce((sum, { stats }) => sum + stats.wr_bytes, 0),
      network_recv: 0,
      network_sent: 0,
    },
  };
}
