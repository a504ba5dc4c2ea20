import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SmallDisk } from '@novacron/testkit/small-disk';
import { bytesForGuests, readCapacity } from './measure.js';

const MIB = 1_048_576;
const GIB = 1_073_741_824;
/** The size of a file system in memory; the tests use a few MiB of it. */
const DISK_GIB = 8;

const probe = SmallDisk.mount(1);
probe?.dispose();
const ifDisk = probe ? it : it.skip;

describe('the capacity of a QEMU host', () => {
  let disk: SmallDisk | undefined;
  let vms: string;
  beforeEach(async () => {
    disk = SmallDisk.mount(DISK_GIB * 1_024);
    if (!disk) return;
    vms = join(disk.folder, 'vms');
    await mkdir(join(vms, 'guest'), { recursive: true });
  });
  afterEach(() => disk?.dispose());

  const other = () => join(disk!.folder, 'other');
  const diskOf = async (reserveGib: number) => (await readCapacity(vms, reserveGib)).disk;

  ifDisk('is what the file system has free in whole GiB, without the reserve, not its size', async () => {
    expect(await diskOf(0)).toBe(DISK_GIB);
    expect(await diskOf(3)).toBe(DISK_GIB - 3);
    expect(await diskOf(DISK_GIB + 1)).toBe(0);
    await writeFile(other(), Buffer.alloc(MIB, 1));
    expect(await diskOf(0)).toBe(DISK_GIB - 1);
    expect(await diskOf(3)).toBe(DISK_GIB - 4);
  });

  ifDisk('counts what guests have written as theirs, and nothing that others have', async () => {
    const guest = join(vms, 'guest', 'disk.qcow2');
    const before = await bytesForGuests(vms);
    await writeFile(guest, Buffer.alloc(4 * MIB, 1));
    await truncate(guest, 2 * GIB);
    expect(await bytesForGuests(vms)).toBe(before);
    await writeFile(other(), Buffer.alloc(4 * MIB, 1));
    expect(await bytesForGuests(vms)).toBe(before - 4 * MIB);
  });

  it('has the real processors, which the overcommit factor multiplies', async () => {
    expect((await readCapacity(tmpdir(), 0)).cpu).toBe(availableParallelism());
  });
});
