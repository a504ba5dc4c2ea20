import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { place } from '../../src/placement/place.js';
import { readUntil } from '@novacron/testkit/wait';
import { HostsHarness, type Orchestrator } from '../support/hosts-harness.js';
import type { VmRow } from '../../src/vms/row.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
let orchestrator: Orchestrator;

beforeAll(async () => {
  harness = await HostsHarness.start();
  orchestrator = await harness.orchestrator({ heartbeatMs: 60_000 });
});
afterAll(() => harness.stop());

const TOMBSTONE: Partial<VmRow> = { state: 'deleted', deleted_at: new Date(0), updated_at: new Date(0) };

/** A VM deleted while its host was away: by default a tombstone, and a clean-up. */
async function leftBehind(agent: FakeAgent, fence: number, now: Partial<VmRow> = TOMBSTONE): Promise<VmId> {
  const id = await harness.vm({ host_id: agent.id, ...now });
  await harness.sys.primary.batch({}, [
    {
      statement: { text: 'INSERT INTO cleanups VALUES ($1, $2, $3, $4, 2, 2048, 10, now())' },
      params: [agent.id, id, harness.tenantId, fence],
    },
  ]);
  agent.guests.set(id, { power: 'running', incarnation: 1, reason: null });
  return id;
}

const left = (agent: FakeAgent) => harness.rows('SELECT vm_id FROM cleanups WHERE host_id = $1', [agent.id]);
const allocated = async (agent: FakeAgent) =>
  (
    await harness.rows(
      'SELECT vm_count, allocated_cpu, allocated_memory, allocated_disk FROM hosts WHERE id = $1',
      [agent.id],
    )
  )[0];

describe('a host that comes back with VMs that were deleted meanwhile', () => {
  it('removes them at their fence, releases its capacity once, and gets no new VM before', async () => {
    const agent = await harness.agent();
    await agent.register();
    let mayDelete = false;
    const deleted = agent.onCommand;
    agent.onCommand = (command) => (mayDelete ? deleted(command) : { outcome: 'accepted', ...agent.stamp() });
    const ids = [await leftBehind(agent, 7), await leftBehind(agent, 8)];
    const second = await harness.orchestrator({ heartbeatMs: 60_000 });
    await agent.register();
    await readUntil(
      () => agent.commands.length,
      (sent) => sent >= 2,
    );

    const request = {
      vmId: newId<VmId>(),
      tenantId: newId<TenantId>(),
      zone: 'sim',
      image: 'ubuntu-22.04',
      cpu: 1,
      memory: 64,
      disk: 1,
      needs: [],
    };
    await orchestrator.snapshot.refresh();
    const refused = place(request, orchestrator.snapshot.hosts(), new Date());
    expect(refused).toMatchObject({
      hostId: null,
      fits: 'later',
      explanation: { rejections: [{ filter: 'cleanup', hosts: 1 }] },
    });
    await agent.inventory();
    expect(await harness.rows('SELECT * FROM quarantine')).toEqual([]);
    expect(await allocated(agent)).toMatchObject({ vm_count: 2, allocated_cpu: 4 });

    mayDelete = true;
    await readUntil(
      () => left(agent),
      (rows) => rows.length === 0,
    );
    expect(await allocated(agent)).toEqual({
      vm_count: 0,
      allocated_cpu: 0,
      allocated_memory: 0,
      allocated_disk: 0,
    });
    expect(agent.guests.size).toBe(0);
    for (const [i, id] of ids.entries()) {
      const sent = agent.commands.filter(({ vmId }) => vmId === id);
      expect(new Set(sent.map(({ commandId }) => commandId)).size).toBe(1);
      expect(sent.every(({ kind, fence }) => kind === 'delete' && fence === 7 + i)).toBe(true);
      expect(sent.at(-1)).toMatchObject({ epoch: 2 });
    }
    await readUntil(
      () => place(request, orchestrator.snapshot.hosts(), new Date()).hostId,
      (hostId) => hostId === agent.id,
    );
    await second.stop();
  });

  it('keeps a clean-up that failed for the next resync', async () => {
    const agent = await harness.agent();
    await agent.register();
    const deleted = agent.onCommand;
    agent.onCommand = () => ({
      outcome: 'failed',
      ...agent.stamp(),
      code: 'driver_error',
      detail: 'stuck',
      retryable: true,
    });
    await leftBehind(agent, 3);
    await agent.register();
    await readUntil(
      () => agent.commands.length,
      (sent) => sent > 0,
    );
    expect(await left(agent)).toHaveLength(1);
    agent.onCommand = deleted;
    await agent.register();
    await readUntil(
      () => left(agent),
      (rows) => rows.length === 0,
    );
  });

  it('does not remove a VM that was placed there again', async () => {
    const agent = await harness.agent();
    await agent.register();
    const id = await leftBehind(agent, 3, { state: 'running', fence: 9 });
    await agent.register();
    await readUntil(
      () => left(agent),
      (rows) => rows.length === 0,
    );
    expect(agent.commands).toEqual([]);
    expect(agent.guests.has(id)).toBe(true);
  });
});
