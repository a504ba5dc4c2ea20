import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Desk } from '../../driver-contract/desk.js';
import { qemuIsInstalled, QemuHost } from './qemu-host.fixture.js';

const ifQemu = qemuIsInstalled() ? describe : describe.skip;

const DAMAGES: readonly (readonly [string, string])[] = [
  ['is empty, as after a power loss', ''],
  ['is torn', '{"vmId":"01'],
  ['is zeros', '\0'.repeat(300)],
  ['is of another schema', '{"vmId":7}'],
];

ifQemu('a QEMU host with a record that cannot be read', () => {
  let host: QemuHost;
  let desk: Desk;
  beforeEach(async () => {
    host = await QemuHost.prepare();
    desk = await Desk.open(host);
  });
  afterEach(async () => {
    await desk.close();
    await host.dispose();
  });

  const damage = (vmId: string, file: string, content: string) =>
    writeFile(join(host.folder, 'vms', vmId, file), content);

  it.each(DAMAGES)('opens and serves the other guests when a vm.json %s', async (_, content) => {
    const [sick, well] = [await desk.running(), await desk.running()];
    await damage(sick.vmId, 'vm.json', content);
    await desk.restart();
    const facts = await desk.driver.list();
    expect(facts.find(({ vmId }) => vmId === well.vmId)).toMatchObject({ power: 'running', incarnation: 1 });
    expect(facts.find(({ vmId }) => vmId === sick.vmId)).toMatchObject({ power: 'running', damaged: true });
    expect(await desk.driver.conditions()).toMatchObject([{ type: 'GuestsDamaged' }]);
    await desk.done(well.vmId, { kind: 'pause' }, { fence: 2 });
    expect((await desk.driver.samples()).map(({ vmId }) => vmId)).toEqual([well.vmId]);

    expect(await desk.command(sick.vmId, { kind: 'pause' }, { fence: 2 })).toMatchObject({
      outcome: 'failed',
      retryable: false,
      detail: expect.stringMatching(/can only be force-stopped and deleted$/),
    });
    expect(await desk.done(sick.vmId, { kind: 'force-stop' }, { fence: 3 })).toMatchObject({
      power: 'stopped',
      damaged: true,
    });
    expect(await host.processes()).toHaveLength(1);
    expect(await desk.done(sick.vmId, { kind: 'delete' }, { fence: 4 })).toMatchObject({ power: 'absent' });
    expect(await desk.driver.conditions()).toEqual([]);
  });

  it('ends and deletes a guest whose pid file is gone or damaged too', async () => {
    for (const pid of ['', 'not a pid', '999999']) {
      const { vmId } = await desk.running();
      await damage(vmId, 'vm.json', '');
      await damage(vmId, 'qemu.pid', pid);
      await desk.restart();
      await desk.done(vmId, { kind: 'delete' }, { fence: 2 });
      expect(await host.processes()).toEqual([]);
    }
    expect(await desk.driver.list()).toEqual([]);
  });
});
