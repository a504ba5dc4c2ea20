import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Command } from '@novacron/contracts/agents';
import { newId, type VmId } from '@novacron/contracts/ids';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandMemory } from '../src/agent/command-memory.js';
import { CommandRunner } from '../src/agent/command-runner.js';
import { Stamps } from '../src/agent/stamps.js';
import { systemClock } from '../src/time/clock.js';
import { DiskReserve } from '../src/state/disk-reserve.js';
import { SimulatedDriver } from '../src/drivers/simulated/driver.js';
import { NO_FAILURES, parseLatencies } from '../src/config.js';
import { seededRandom } from '@novacron/async/random';
import { SmallDisk } from '@novacron/testkit/small-disk';

const probe = SmallDisk.mount(1);
probe?.dispose();
const ifDisk = probe ? describe : describe.skip;

ifDisk('the reserve of a full disk', () => {
  let disk: SmallDisk;
  let memory: CommandMemory;
  let driver: SimulatedDriver;
  let runner: CommandRunner;
  beforeEach(async () => {
    disk = SmallDisk.mount(4) as SmallDisk;
    const reserve = await DiskReserve.open(join(disk.folder, 'reserve'));
    const releaseReserve = () => reserve.release();
    memory = await CommandMemory.open(join(disk.folder, 'commands.journal'), systemClock.now, {
      releaseReserve,
    });
    driver = await SimulatedDriver.open({
      path: join(disk.folder, 'guests.journal'),
      clock: systemClock,
      random: seededRandom(1),
      latencies: parseLatencies('all=0ms,powerdown=3600s'),
      failureRates: NO_FAILURES,
      images: ['ubuntu-22.04'],
      capacity: { cpu: 8, memory: 16_384, disk: 100 },
      load: { traces: [], seed: 1 },
      releaseReserve,
    });
    const stamps = new Stamps();
    stamps.begin(1);
    runner = new CommandRunner({ driver, memory, stamps, clock: systemClock, onEnded: () => undefined });
  });
  afterEach(async () => {
    disk.empty();
    await driver.close();
    await memory.close();
    disk.dispose();
  });

  const held = () => statSync(join(disk.folder, 'reserve')).size > 0;

  async function running(): Promise<VmId> {
    const vmId = newId<VmId>();
    const config = { cpu: 1, memory: 512, disk: 1, image: 'ubuntu-22.04' };
    const spec = { vmId, name: 'web', config, userData: null, sshKeys: [] };
    for (const kind of ['create', 'start'] as const)
      expect(await runner.handle({ ...header(vmId, 1), kind, spec })).toMatchObject({ outcome: 'done' });
    return vmId;
  }

  const header = (vmId: VmId, fence: number) => ({
    vmId,
    commandId: newId<string>(),
    epoch: 1,
    generation: 1,
    fence,
  });

  it.each([
    ['force-stop', 'stopped'],
    ['delete', 'absent'],
  ] as const)('outlives commands that free nothing, and is there for a %s', async (kind, power) => {
    const vmId = await running();
    await disk.fill();
    // Enough lines to fill the last block of the journal.
    for (let fence = 2; fence < 200; fence += 2) {
      for (const [one, waits] of ['observe', 'shutdown'].entries()) {
        const command = { ...header(vmId, fence + one), kind: waits } as Command;
        expect(await runner.handle(command)).toMatchObject({ outcome: 'done' });
      }
    }
    expect(held()).toBe(true);
    expect(await runner.handle({ ...header(vmId, 200), kind })).toMatchObject({
      outcome: 'done',
      fact: { power },
    });
    expect(held()).toBe(false);
  });
});
