import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GuestSpec } from '@novacron/contracts/agents';
import { until } from '@novacron/testkit/wait';
import { AgentHarness } from '../../../test/driver-contract/agent-harness.js';
import { SmallDisk } from '@novacron/testkit/small-disk';
import { qemuIsInstalled, QemuHost } from './qemu-host.harness.js';

const MIB = 64;
const probe = qemuIsInstalled() ? SmallDisk.mount(MIB) : undefined;
probe?.dispose();
const ifDisk = probe ? describe : describe.skip;

ifDisk('a QEMU host without a byte of free disk', () => {
  let disk: SmallDisk;
  let host: QemuHost;
  let agent: AgentHarness;
  beforeEach(async () => {
    disk = SmallDisk.mount(MIB) as SmallDisk;
    host = await QemuHost.prepare(disk.folder);
    agent = await AgentHarness.open(host);
  });
  afterEach(async () => {
    disk.empty();
    await agent.close();
    await host.dispose();
    disk.dispose();
  });

  const processes = async () => (await host.processes()).length;

  async function runningOnFullDisk(): Promise<GuestSpec> {
    const spec = await agent.running();
    await disk.fill();
    return spec;
  }

  it('force-stops a guest, and remembers it', async () => {
    const { vmId } = await runningOnFullDisk();
    expect(await agent.done(vmId, { kind: 'force-stop' }, { fence: 2 })).toMatchObject({
      power: 'stopped',
      reason: 'forced',
    });
    expect(await processes()).toBe(0);
    expect(await agent.command(vmId, { kind: 'observe' }, { fence: 1 })).toMatchObject({ outcome: 'fenced' });
    disk.empty();
    await until(async () => (await agent.driver.observe(vmId)).reason === 'forced');
  });

  it('deletes a running guest, and frees its space', async () => {
    const { vmId } = await runningOnFullDisk();
    expect(await agent.done(vmId, { kind: 'delete' }, { fence: 2 })).toMatchObject({ power: 'absent' });
    expect(await processes()).toBe(0);
    expect(await agent.driver.list()).toEqual([]);
    const next = await agent.running();
    expect(await agent.driver.observe(next.vmId)).toMatchObject({ power: 'running' });
  });

  it('ends a guest gracefully: presses the button, and observes the end', async () => {
    const { vmId } = await agent.up();
    await disk.fill();
    await agent.done(vmId, { kind: 'shutdown' }, { fence: 2 });
    await agent.until(
      async () => (await agent.done(vmId, { kind: 'observe' }, { fence: 2 })).power === 'stopped',
    );
  });

  it('refuses operations that need space, with a text without paths', async () => {
    const stopped = host.spec();
    await agent.done(stopped.vmId, { kind: 'create', spec: stopped });
    await disk.fill();
    const refused = {
      outcome: 'failed',
      code: 'no_space',
      retryable: true,
      detail: expect.not.stringContaining('/'),
    };
    const start = { kind: 'start', spec: stopped } as const;
    expect(await agent.command(stopped.vmId, start, { fence: 2 })).toMatchObject(refused);
    const fresh = host.spec();
    expect(await agent.command(fresh.vmId, { kind: 'create', spec: fresh })).toMatchObject(refused);
  });

  it('is opened by a new agent, which can end the guests of the previous one', async () => {
    const { vmId } = await runningOnFullDisk();
    await agent.restart();
    await agent.done(vmId, { kind: 'delete' }, { fence: 2 });
    expect(await processes()).toBe(0);
  });
});
