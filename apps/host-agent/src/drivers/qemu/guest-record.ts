import { VmId } from '@novacron/contracts/ids';
import { VmConfig } from '@novacron/contracts/vms';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../state/atomic-file.js';
import { DamagedStateError } from '../../state/journal.js';

/** vm.json in a VM's folder: the state that its host needs after a restart. */
const GuestRecord = z.object({
  vmId: VmId,
  name: z.string(),
  config: VmConfig,
  /** Guest processes started so far. */
  incarnation: z.number().int().nonnegative(),
  /** Why the last one ended; null while it runs, and before the first. */
  reason: z.string().nullable(),
  /** A reboot is between the power button and the next start. */
  rebooting: z.boolean(),
  /** The guest has reported on its console that it is up, since its last start or reset. */
  ready: z.boolean().default(false),
  /** The length of the console's file at that start or reset. */
  consoleFrom: z.number().int().nonnegative().default(0),
});
export type GuestRecord = z.infer<typeof GuestRecord>;

/** The record of a guest before its start or reset: it is not up yet. */
export function fromStart(record: GuestRecord, consoleBytes: number): GuestRecord {
  return { ...record, ready: false, consoleFrom: consoleBytes };
}

/**
 * @returns undefined when the folder has no VM
 * @throws DamagedStateError when its record cannot be read
 */
export async function readRecord(folder: string): Promise<GuestRecord | undefined> {
  const path = join(folder, 'vm.json');
  try {
    return GuestRecord.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const advice = 'restore the file, or delete the VM';
    throw new DamagedStateError(`${path} cannot be read: ${advice}`, { cause });
  }
}

/** Replaces the record as a whole; resolves when it is durable. */
export function writeRecord(folder: string, record: GuestRecord): Promise<void> {
  return writeFileAtomic(join(folder, 'vm.json'), `${JSON.stringify(record)}\n`);
}
