import type { Capacity } from '@novacron/contracts/infrastructure';
import type { VmConfig } from '@novacron/contracts/vms';
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { availableParallelism, totalmem } from 'node:os';
import { z } from 'zod';
import type { Sample } from '../driver.js';
import type { GuestHandle } from './guest-handle.js';

const BlockStats = z.array(z.object({ stats: z.object({ rd_bytes: z.number(), wr_bytes: z.number() }) }));
/** The share of the memory that guests may have. */
const MEMORY_SHARE = 0.8;
/** The unit of `stat`, independent of the file system's blocks. */
const STAT_BLOCK_BYTES = 512;
const MIB = 1_048_576;
const GIB = 1_073_741_824;

/**
 * This machine's resources for guests with disks in `folder`: its processors, most of its memory, and the file system's
 * free space without the reserve plus the space that the guests have written. Their disks are sparse: a GiB of a disk is
 * either free or written, and the files of others are neither.
 */
export async function readCapacity(folder: string, reserveGib: number): Promise<Capacity> {
  const bytes = await bytesForGuests(folder);
  return {
    cpu: availableParallelism(),
    memory: Math.floor((totalmem() / MIB) * MEMORY_SHARE),
    disk: Math.max(0, Math.floor(bytes / GIB - reserveGib)),
  };
}

/** The free space of the file system of `folder`, and the space of the guests' disks. */
export async function bytesForGuests(folder: string): Promise<number> {
  const [{ bavail, bsize }, written] = await Promise.all([statfs(folder), writtenBytes(folder)]);
  return bavail * bsize + written;
}

/** The space of the guests' disks. A guest that is removed meanwhile does not count. */
async function writtenBytes(folder: string): Promise<number> {
  const guests = await readdir(folder);
  const sizes = guests.map((guest) =>
    stat(join(folder, guest, 'disk.qcow2')).then(
      ({ blocks }) => blocks * STAT_BLOCK_BYTES,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
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
