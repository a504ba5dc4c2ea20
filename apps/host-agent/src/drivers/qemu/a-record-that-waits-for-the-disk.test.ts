import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type VmId } from '@novacron/contracts/ids';
import { mkdir } from 'node:fs/promises';
import { SmallDisk } from '@novacron/testkit/small-disk';
import { systemClock } from '../../time/clock.js';
import { readRecord, writeRecord } from './guest-record.js';
import { GuestRegistry } from './guest-registry.js';

const probe = SmallDisk.mount(1);
probe?.dispose();
const ifDisk = probe ? describe : describe.skip;
/** Repeated, since two writers of one file interleave differently each time. */
const TIMES = 100;

ifDisk('a record that waits for the disk', () => {
  let disk: SmallDisk;
  let registry: GuestRegistry;
  let warnings: string[];
  beforeEach(async () => {
    disk = SmallDisk.mount(2) as SmallDisk;
    registry = await GuestRegistry.open({
      folder: disk.folder,
      clock: systemClock,
      onChange: () => undefined,
      onWarning: (message) => warnings.push(message),
    });
  });
  afterEach(() => disk.dispose());

  const reasonIs = (vmId: VmId, reason: string) =>
    registry.update(vmId, (record) => ({ ...record, reason }), { mayWait: true });

  /** A VM whose record says `waiting`, while its file says `saved`; the disk has space again. */
  async function waiting(): Promise<VmId> {
    warnings = [];
    const vmId = newId<VmId>();
    const config = { cpu: 1, memory: 128, disk: 1, image: 'tiny-linux' };
    const state = { incarnation: 1, reason: 'saved', rebooting: false, ready: false, consoleFrom: 0 };
    await mkdir(registry.folderOf(vmId));
    await writeRecord(registry.folderOf(vmId), { vmId, name: 'tiny-1', config, ...state });
    await disk.fill();
    await reasonIs(vmId, 'waiting');
    expect(warnings).toHaveLength(1);
    expect(await readRecord(registry.folderOf(vmId))).toMatchObject({ reason: 'saved' });
    disk.empty();
    return vmId;
  }

  it('is saved by the next check', async () => {
    const vmId = await waiting();
    await registry.check();
    expect(await readRecord(registry.folderOf(vmId))).toMatchObject({ reason: 'waiting' });
  });

  it('does not undo a change that is made during the check', async () => {
    for (let times = 0; times < TIMES; times++) {
      const vmId = await waiting();
      await Promise.all([registry.check(), reasonIs(vmId, 'newer'), registry.check()]);
      expect(await registry.record(vmId)).toMatchObject({ reason: 'newer' });
      expect(await readRecord(registry.folderOf(vmId))).toMatchObject({ reason: 'newer' });
      expect(warnings).toHaveLength(1);
      await registry.remove(vmId);
    }
  });

  it('disappears with a VM that is deleted during a check or a change', async () => {
    for (let times = 0; times < TIMES; times++) {
      const vmId = await waiting();
      await Promise.all([registry.check(), registry.remove(vmId), reasonIs(vmId, 'newer')]);
      expect(await registry.record(vmId)).toBeUndefined();
      expect(warnings).toHaveLength(1);
      await registry.check();
      expect(await registry.all()).toEqual([]);
    }
  });
});
