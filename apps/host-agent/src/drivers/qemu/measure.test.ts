import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCapacity } from './measure.js';

const GIB = 1_073_741_824;
/** Large beside what other programs write meanwhile. */
const FILE_GIB = 4;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'novacron-capacity-'));
  await mkdir(join(folder, 'vms', 'guest'), { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const disk = async (reserveGib = 0) => (await readCapacity(join(folder, 'vms'), reserveGib)).disk;

async function allocate(path: string): Promise<void> {
  const { status, stderr } = spawnSync('fallocate', ['-l', `${FILE_GIB}G`, path], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
}

describe('the capacity of a QEMU host', () => {
  it('is what the file system has free, without the reserve, not its size', async () => {
    const { blocks, bavail, bsize } = await statfs(folder);
    const free = (bavail * bsize) / GIB;
    expect(Math.abs((await disk()) - free)).toBeLessThan(FILE_GIB / 2);
    expect(await disk(free / 2)).toBeLessThanOrEqual(free / 2 + FILE_GIB / 2);
    expect(await disk((blocks * bsize) / GIB)).toBe(0);
  });

  it('counts what guests have written as theirs, and nothing that others have', async () => {
    const before = await disk();
    await allocate(join(folder, 'vms', 'guest', 'disk.qcow2'));
    expect(Math.abs((await disk()) - before)).toBeLessThan(FILE_GIB / 2);
    await allocate(join(folder, 'other'));
    expect(await disk()).toBeLessThan(before - FILE_GIB / 2);
  });

  it('has the real processors, which the overcommit factor multiplies', async () => {
    expect((await readCapacity(join(folder, 'vms'), 0)).cpu).toBe(availableParallelism());
  });
});
