import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SmallDisk } from '@novacron/testkit/small-disk';
import { writeFileAtomic } from './atomic-file.js';
import { DiskReserve } from './disk-reserve.js';

const probe = SmallDisk.mount(1);
probe?.dispose();
const ifDisk = probe ? it : it.skip;

describe('an atomic write', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-atomic-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('replaces the whole file, also beside the remains of an earlier attempt', async () => {
    const path = join(folder, 'a.json');
    await writeFileAtomic(`${path}.new`, 'half of an earl');
    await writeFileAtomic(path, 'one');
    await writeFileAtomic(path, 'two');
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await readdir(folder)).toEqual(['a.json']);
  });

  it('leaves only the old file when it fails', async () => {
    const path = join(folder, 'a.json');
    await mkdir(join(path, 'in-the-way'), { recursive: true });
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['a.json']);
  });

  ifDisk('keeps the old file on a full disk, and takes the reserve when it may', async () => {
    const disk = SmallDisk.mount(4) as SmallDisk;
    try {
      const path = join(disk.folder, 'a.json');
      const reserve = await DiskReserve.open(join(disk.folder, 'reserve'));
      await writeFileAtomic(path, 'old');
      await disk.fill();
      await expect(writeFileAtomic(path, 'new')).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(await readFile(path, 'utf8')).toBe('old');
      await reserve.use(() => writeFileAtomic(path, 'new'));
      expect(await readFile(path, 'utf8')).toBe('new');
      await disk.fill();
      expect(await reserve.refill()).toBe(false);
      disk.empty();
      expect(await reserve.refill()).toBe(true);
    } finally {
      disk.dispose();
    }
  });
});
