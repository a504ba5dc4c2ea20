import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandReply, GuestSpec } from '@novacron/contracts/agents';
import { newId } from '@novacron/contracts/ids';
import { AgentUnderTest } from './agent-under-test.js';
import { SmallDisk } from '@novacron/testkit/small-disk';

const probe = SmallDisk.mount(1);
probe?.dispose();
const ifDisk = probe ? describe : describe.skip;

ifDisk('an agent whose disk is full', () => {
  let disk: SmallDisk;
  let agent: AgentUnderTest;
  beforeAll(async () => {
    disk = SmallDisk.mount(16) as SmallDisk;
    agent = await AgentUnderTest.prepare(1);
    agent.start({ NOVACRON_AGENT_STATE_DIR: disk.folder });
    await agent.registered();
  });
  afterAll(async () => {
    await agent.stop();
    disk.dispose();
  });

  const spec = (): GuestSpec => ({
    vmId: newId(),
    name: 'web',
    config: { cpu: 1, memory: 512, disk: 1, image: 'ubuntu-22.04' },
    userData: null,
    sshKeys: [],
  });
  const conditions = () => agent.orchestrator.heartbeats.at(-1)?.body.conditions ?? [];
  const send: AgentUnderTest['orchestrator']['command'] = (...command) =>
    agent.orchestrator.command(...command);

  async function running(): Promise<GuestSpec> {
    const guest = spec();
    for (const kind of ['create', 'start'] as const) {
      expect(await send(agent.host, guest.vmId, { kind, spec: guest })).toMatchObject({ outcome: 'done' });
    }
    return guest;
  }

  it('reports it, still ends guests, also after a kill -9, and recovers when it has space again', async () => {
    const [first, second, third] = [await running(), await running(), await running()];
    await agent.until(() => agent.orchestrator.heartbeats.length > 0);
    expect(conditions()).toEqual([]);
    await disk.fill();
    await agent.until(() => conditions().some(({ type }) => type === 'StorageFull'));

    expect(await send(agent.host, first.vmId, { kind: 'force-stop' }, { fence: 2 })).toMatchObject({
      outcome: 'done',
      fact: { power: 'stopped' },
    });
    expect(await send(agent.host, second.vmId, { kind: 'delete' }, { fence: 2 })).toMatchObject({
      outcome: 'done',
      fact: { power: 'absent' },
    });

    // The fences are in the reserve, so they outlive the process.
    await agent.end('SIGKILL');
    await disk.fill();
    agent.start({ NOVACRON_AGENT_STATE_DIR: disk.folder });
    await agent.registered();
    const stale = { kind: 'start', spec: first } as const;
    expect(await send(agent.host, first.vmId, stale, { fence: 1 })).toMatchObject({ outcome: 'fenced' });
    expect(await send(agent.host, second.vmId, { kind: 'observe' }, { fence: 2 })).toMatchObject({
      fact: { power: 'absent' },
    });
    expect(await send(agent.host, third.vmId, { kind: 'delete' }, { fence: 2 })).toMatchObject({
      outcome: 'done',
    });
    // The last block of each file may have a few free bytes.
    await disk.fill();
    let refused: CommandReply | undefined;
    await agent.until(async () => {
      const fresh = spec();
      const reply = await send(agent.host, fresh.vmId, { kind: 'create', spec: fresh });
      if (reply.outcome === 'failed') refused = reply;
      return refused !== undefined;
    });
    expect(refused).toMatchObject({ code: 'no_space', detail: 'the host has no disk space left' });

    disk.empty();
    await agent.until(() => agent.orchestrator.heartbeats.length > 0 && conditions().length === 0);
    await running();
  });
});
