import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PowerState } from '@novacron/contracts/agents';
import { newId, type VmId } from '@novacron/contracts/ids';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandMemory, type DoneReply } from './command-memory.js';

const DAY_MS = 86_400_000;

describe('the memory of commands', () => {
  let folder: string;
  let now = Date.UTC(2026, 0, 1);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-memory-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const open = () => CommandMemory.open(join(folder, 'commands.journal'), () => now);
  const vmId = newId<VmId>();
  const done = (power: PowerState): DoneReply => ({
    outcome: 'done',
    epoch: 1,
    seq: 1,
    fact: { vmId, power, incarnation: 1, reason: null },
  });

  it('compares fences by generation first', async () => {
    const memory = await open();
    await memory.raise(vmId, { generation: 2, fence: 1 });
    expect(memory.refuses(vmId, { generation: 1, fence: 99 })).toBe(true);
    expect(memory.refuses(vmId, { generation: 2, fence: 1 })).toBe(false);
    expect(memory.refuses(vmId, { generation: 3, fence: 0 })).toBe(false);
    await memory.close();
  });

  it('never lowers a fence, and refuses lower ones from the moment it is claimed', async () => {
    const memory = await open();
    memory.claim(vmId, { generation: 1, fence: 9 });
    expect(memory.refuses(vmId, { generation: 1, fence: 8 })).toBe(true);
    await memory.raise(vmId, { generation: 1, fence: 3 });
    expect(memory.highest(vmId)).toEqual({ generation: 1, fence: 9 });
    await memory.close();
    expect((await open()).highest(vmId)).toEqual({ generation: 1, fence: 9 });
  });

  it('keeps the fence of a deleted VM for thirty days, and no longer', async () => {
    const memory = await open();
    await memory.raise(vmId, { generation: 1, fence: 5 });
    await memory.remember(vmId, 'job:delete', done('absent'));
    await memory.close();
    now += 29 * DAY_MS;
    const later = await open();
    expect(later.refuses(vmId, { generation: 1, fence: 4 })).toBe(true);
    expect(later.success(vmId, 'job:delete')).toEqual(done('absent'));
    await later.close();
    now += 2 * DAY_MS;
    const muchLater = await open();
    expect(muchLater.refuses(vmId, { generation: 1, fence: 4 })).toBe(false);
    await muchLater.close();
  });

  it('keeps the fence of an existing VM without limit', async () => {
    const memory = await open();
    await memory.raise(vmId, { generation: 1, fence: 5 });
    await memory.remember(vmId, 'job:remove', done('absent'));
    await memory.remember(vmId, 'job:create', done('stopped'));
    await memory.close();
    now += 400 * DAY_MS;
    const later = await open();
    expect(later.refuses(vmId, { generation: 1, fence: 4 })).toBe(true);
    await later.close();
  });

  it('remembers a bounded number of successes for each VM, the newest ones', async () => {
    const memory = await open();
    for (let i = 0; i < 20; i++) await memory.remember(vmId, `job-${i}:start`, done('running'));
    await memory.close();
    const later = await open();
    expect(later.success(vmId, 'job-19:start')).toEqual(done('running'));
    expect(later.success(vmId, 'job-0:start')).toBeUndefined();
    await later.close();
  });
});
