import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentHarness } from '../../../test/driver-contract/agent-harness.js';
import { qemuIsInstalled, QemuHost } from './qemu-host.harness.js';

const ifQemu = qemuIsInstalled() ? describe : describe.skip;

const DAMAGES: readonly (readonly [string, string])[] = [
  ['is empty, as after a power loss', ''],
  ['is torn', '{"vmId":"01'],
  ['is zeros', '\0'.repeat(300)],
  ['is of another schema', '{"vmId":7}'],
];

ifQemu('a QEMU host with a record that cannot be read', () => {
  let host: QemuHost;
  let agent: AgentHarness;
  beforeEach(async () => {
    host = await QemuHost.prepare();
    agent = await AgentHarness.open(host);
  });
  afterEach(async () => {
    await agent.close();
    await host.dispose();
  });

  const damage = (vmId: string, file: string, content: string) =>
    writeFile(join(host.folder, 'vms', vmId, file), content);

  it.each(DAMAGES)('opens and serves the other guests when a vm.json %s', async (_, content) => {
    const [sick, well] = [await agent.running(), await agent.running()];
    await damage(sick.vmId, 'vm.json', content);
    await agent.restart();
    const facts = await agent.driver.list();
    expect(facts.find(({ vmId }) => vmId === well.vmId)).toMatchObject({ power: 'running', incarnation: 1 });
    expect(facts.find(({ vmId }) => vmId === sick.vmId)).toMatchObject({ power: 'running', damaged: true });
    expect(await agent.driver.conditions()).toMatchObject([{ type: 'GuestsDamaged' }]);
    await agent.done(well.vmId, { kind: 'pause' }, { fence: 2 });
    expect((await agent.driver.samples()).map(({ vmId }) => vmId)).toEqual([well.vmId]);

    expect(await agent.command(sick.vmId, { kind: 'pause' }, { fence: 2 })).toMatchObject({
      outcome: 'failed',
      retryable: false,
      detail: expect.stringMatching(/can only be force-stopped and deleted$/),
    });
    expect(await agent.done(sick.vmId, { kind: 'force-stop' }, { fence: 3 })).toMatchObject({
      power: 'stopped',
      damaged: true,
    });
    expect(await host.processes()).toHaveLength(1);
    expect(await agent.done(sick.vmId, { kind: 'delete' }, { fence: 4 })).toMatchObject({ power: 'absent' });
    expect(await agent.driver.conditions()).toEqual([]);
  });

  it('ends and deletes a guest whose pid file is missing or damaged as well', async () => {
    for (const pid of ['', 'not a pid', '999999']) {
      const { vmId } = await agent.running();
      await damage(vmId, 'vm.json', '');
      await damage(vmId, 'qemu.pid', pid);
      await agent.restart();
      await agent.done(vmId, { kind: 'delete' }, { fence: 2 });
      expect(await host.processes()).toEqual([]);
    }
    expect(await agent.driver.list()).toEqual([]);
  });
});
