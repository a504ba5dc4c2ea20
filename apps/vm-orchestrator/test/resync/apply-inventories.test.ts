import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type JobId, type VmId } from '@novacron/contracts/ids';
import { dbQuery } from '@novacron/telemetry/diagnostics';
import { metricsText } from '@novacron/telemetry/metrics';
import type { VmRow } from '../../src/vms/row.js';
import { HostsHarness, type Orchestrator } from '../support/hosts-harness.js';
import type { FakeAgent } from '../support/fake-agent.js';

let harness: HostsHarness;
let orchestrator: Orchestrator;
let agent: FakeAgent;

beforeAll(async () => {
  harness = await HostsHarness.start();
  // No host becomes unreachable here.
  orchestrator = await harness.orchestrator({ heartbeatMs: 60_000 });
  agent = await harness.agent();
  await agent.register();
});
afterAll(() => harness.stop());

const HOUR_AGO = new Date(Date.now() - 3_600_000);
const has = (
  id: VmId,
  power: 'running' | 'paused' | 'stopped' = 'running',
  reason: string | null = null,
  incarnation = 1,
) => agent.guests.set(id, { power, incarnation, reason });
async function placed(over: Partial<VmRow> = {}): Promise<VmId> {
  return harness.vm({ host_id: agent.id, ...over });
}
const task = (jobId: JobId): VmRow['task'] => ({
  jobId,
  kind: 'stop',
  step: 's',
  stepIndex: 0,
  stepCount: 1,
  deadline: new Date().toISOString(),
});
const quarantined = async () =>
  (await harness.rows<{ vm_id: string }>('SELECT vm_id FROM quarantine WHERE host_id = $1', [agent.id])).map(
    (row) => row.vm_id,
  );

describe('an inventory', () => {
  it('writes nothing when it agrees with the database', async () => {
    const vm = await placed();
    has(vm);
    await agent.inventory();
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'running', version: 1 });
    expect(await harness.events(vm)).toEqual([]);
  });

  it('corrects a VM after a lost report, with its event', async () => {
    const vm = await placed();
    has(vm, 'stopped', 'crashed');
    await agent.inventory();
    expect(await harness.vmRow(vm)).toMatchObject({
      state: 'stopped',
      stop_reason: 'crashed',
      version: 2,
      fact_epoch: 1,
    });
    expect(await harness.events(vm)).toMatchObject([
      { type: 'vm.updated', version: 2, data: { state: 'stopped' } },
    ]);
  });

  it('makes VMs lost that it does not name', async () => {
    const [running, unknown] = [await placed(), await placed({ state: 'unknown' })];
    await agent.inventory();
    expect(await harness.vmRow(running)).toMatchObject({
      state: 'stopped',
      stop_reason: 'guest_lost',
      last_error: { code: 'guest_lost' },
    });
    expect(await harness.vmRow(unknown)).toMatchObject({
      state: 'error',
      last_error: { code: 'guest_lost' },
    });
    has(unknown, 'stopped');
    await agent.inventory();
    expect(await harness.vmRow(unknown)).toMatchObject({ state: 'stopped', last_error: null });
  });

  it('in several parts marks no VM as lost before the last part, at any orchestrator', async () => {
    const second = await harness.orchestrator({ heartbeatMs: 60_000 });
    const vms = await Promise.all(Array.from({ length: 7 }, () => placed()));
    for (const vm of vms) has(vm);
    const missing = await placed();
    await agent.inventory(agent.stamp(), 2);
    for (const vm of vms) expect(await harness.vmRow(vm)).toMatchObject({ state: 'running', version: 1 });
    expect(await harness.vmRow(missing)).toMatchObject({ state: 'stopped', stop_reason: 'guest_lost' });
    expect(await harness.rows('SELECT * FROM inventory_parts')).toEqual([]);
    await second.stop();
  });

  it('leaves VMs with a live job alone', async () => {
    const [present, absent] = [
      await placed({ state: 'stopping', task: task(newId()) }),
      await placed({ state: 'starting', task: task(newId()) }),
    ];
    has(present, 'stopped');
    await agent.inventory();
    expect(await harness.vmRow(present)).toMatchObject({ state: 'stopping', version: 1 });
    expect(await harness.vmRow(absent)).toMatchObject({ state: 'starting', version: 1 });
  });

  it('changes nothing when its number is older than the applied one', async () => {
    const old = agent.stamp();
    const vm = await placed({ fact_epoch: 1, fact_seq: agent.stamp().seq });
    await agent.inventory(old);
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'running', version: 1 });
    has(vm);
    await agent.inventory();
    // A report from before the inventory comes late.
    has(vm, 'stopped');
    await agent.report([vm], old);
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'running', version: 1 });
    has(vm);
  });

  it('does not change VMs of another host', async () => {
    const other = await harness.agent();
    await other.register();
    const theirs = await harness.vm({ host_id: other.id });
    const ours = await placed();
    has(ours);
    other.guests.set(theirs, { power: 'running', incarnation: 1, reason: null });
    other.guests.set(ours, { power: 'stopped', incarnation: 1, reason: null });
    await other.inventory();
    await other.report([ours]);
    expect(await harness.vmRow(ours)).toMatchObject({ state: 'running', version: 1 });
    expect(await harness.vmRow(theirs)).toMatchObject({ state: 'running', version: 1 });
  });
});

describe('an inventory of 5,000 guests', () => {
  it('fits one message, and is compared and corrected by a few statements', async () => {
    const own = await harness.agent();
    await own.register();
    await harness.sys.primary.batch({}, [
      {
        statement: {
          text: `INSERT INTO vms (tenant_id, id, name, state, desired_state, cpu, memory, disk, image, zone, host_id, tags,
                   ssh_keys, autostart, fence, quota_held, version, created_at, updated_at)
                 SELECT $1, gen_random_uuid(), 'many-' || i, 'running', 'running', 1, 64, 1, 'ubuntu-22.04', 'sim', $2, '{}',
                   '[]', true, 1, true, 1, now(), now() FROM generate_series(1, 5000) i`,
        },
        params: [harness.tenantId, own.id],
      },
    ]);
    const vms = await harness.rows<{ id: VmId }>('SELECT id FROM vms WHERE host_id = $1 ORDER BY id', [
      own.id,
    ]);
    for (const [i, { id }] of vms.entries()) {
      own.guests.set(id, { power: i < 500 ? 'stopped' : 'running', incarnation: 0, reason: null });
    }
    let statements = 0;
    dbQuery.subscribe(({ table }) => {
      if (table === 'vms' || table === 'outbox_pending') statements += 1;
    });
    await own.inventory();
    // Not one statement per corrected VM, let alone one per VM.
    expect(statements).toBeLessThan(50);
    const states = await harness.rows(
      'SELECT state, count(*) FROM vms WHERE host_id = $1 GROUP BY 1 ORDER BY 1',
      [own.id],
    );
    expect(states).toEqual([
      { state: 'running', count: 4_500 },
      { state: 'stopped', count: 500 },
    ]);
  });
});

describe('a guest that should not be there', () => {
  it('is quarantined, counted and never destroyed, and forgotten when it is gone', async () => {
    const unknown = newId<VmId>();
    const other = await harness.agent();
    await other.register();
    const elsewhere = await harness.vm({ host_id: other.id, updated_at: HOUR_AGO });
    const tombstone = await harness.vm({
      host_id: agent.id,
      state: 'deleted',
      updated_at: HOUR_AGO,
      deleted_at: HOUR_AGO,
    });
    for (const id of [unknown, elsewhere, tombstone]) has(id);
    await agent.inventory();
    expect((await quarantined()).sort()).toEqual([unknown, elsewhere, tombstone].sort());
    expect(await metricsText()).toMatch(/^novacron_quarantined_guests 3$/m);
    expect(agent.commands).toEqual([]);
    for (const id of [unknown, elsewhere, tombstone]) agent.guests.delete(id);
    await agent.inventory();
    expect(await quarantined()).toEqual([]);
    expect(await metricsText()).toMatch(/^novacron_quarantined_guests 0$/m);
  });

  it('is not reported when its VM has just left the host, or has a live job', async () => {
    const leaving = await harness.vm({ host_id: agent.id, state: 'deleted', deleted_at: new Date() });
    const coming = await harness.vm({
      host_id: null,
      state: 'pending',
      task: task(newId()),
      updated_at: HOUR_AGO,
    });
    has(leaving);
    has(coming);
    await agent.inventory();
    expect(await quarantined()).toEqual([]);
    agent.guests.delete(leaving);
    agent.guests.delete(coming);
  });
});

describe('a report', () => {
  it('stops a VM at once whose guest went off', async () => {
    const vm = await placed();
    has(vm, 'stopped', 'guest_shutdown');
    await agent.report([vm]);
    expect(await harness.vmRow(vm)).toMatchObject({
      state: 'stopped',
      stop_reason: 'guest_shutdown',
      desired_state: 'running',
    });
  });

  it('wakes the job that waits for it, which decides the state of the VM', async () => {
    const jobId = newId<JobId>();
    const vm = await placed({ state: 'stopping', task: task(jobId) });
    has(vm, 'stopped', 'guest_shutdown');
    await agent.report([vm]);
    expect(orchestrator.woken).toContain(jobId);
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'stopping', version: 1 });
  });

  it('of an old epoch is refused', async () => {
    const vm = await placed();
    has(vm, 'stopped');
    const old = agent.stamp();
    await agent.register();
    expect(await agent.report([vm], old)).toEqual({ needed: 'register' });
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'running', version: 1 });
    await agent.report([vm]);
    expect(await harness.vmRow(vm)).toMatchObject({ state: 'stopped', version: 2 });
  });
});

describe('the allocation of a host', () => {
  it('is corrected and counted by the audit when it is wrong, and unchanged when it is right', async () => {
    const own = await harness.agent();
    await own.register();
    const vm = await harness.vm({ host_id: own.id });
    own.guests.set(vm, { power: 'running', incarnation: 1, reason: null });
    const books = async () =>
      (
        await harness.rows(
          'SELECT vm_count, allocated_cpu, allocated_memory, allocated_disk FROM hosts WHERE id = $1',
          [own.id],
        )
      )[0];
    const corrections = async () =>
      Number(/^novacron_host_allocation_corrections_total (\d+)$/m.exec(await metricsText())?.[1] ?? 0);
    const before = await corrections();
    await own.inventory();
    expect(await corrections()).toBe(before);
    const right = { vm_count: 1, allocated_cpu: 2, allocated_memory: 2_048, allocated_disk: 10 };
    expect(await books()).toEqual(right);
    await harness.sys.primary.batch({}, [
      {
        statement: { text: 'UPDATE hosts SET allocated_cpu = 40, vm_count = 9 WHERE id = $1' },
        params: [own.id],
      },
    ]);
    await own.inventory();
    expect(await books()).toEqual(right);
    expect(await corrections()).toBe(before + 1);
  });
});
