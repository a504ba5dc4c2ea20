import { VmId } from '@novacron/contracts/ids';
import { VmConfig } from '@novacron/contracts/vms';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DamagedStateError, syncDirectory } from '../../journal.js';

/** vm.json in a VM's folder: what its host must know of it after a restart. */
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
});
export type GuestRecord = z.infer<typeof GuestRecord>;

/** @returns undefined when the folder holds no VM. @throws DamagedStateError */
export async function readRecord(folder: string): Promise<GuestRecord | undefined> {
  const path = join(folder, 'vm.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return GuestRecord.parse(JSON.parse(text));
  } catch (cause) {
    throw new DamagedStateError(`${path} is damaged: restore the file, or remove its folder to lose the VM`, {
      cause,
    });
  }
}

/** Replaces the record as a whole; resolves when it is durable. */
export async function writeRecord(folder: string, record: GuestRecord): Promise<void> {
  const path = join(folder, 'vm.json');
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(record)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  syncDirectory(folder);
}
