import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VmFact } from '@novacron/contracts/agents';
import type { JobId, VmId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { HostActions } from '../src/admission/host-actions.js';
import { JobCanceller } from '../src/admission/cancel-job.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';
import type { FakeHost } from './support/fake-host.js';

let harness: OrchestratorHarness;
let host: FakeHost;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
  host = harness.host;
  await harness.admin.query(
    `INSERT INTO orchestrator.inventories (host_id, next_at) VALUES ($1, now() + interval '1 day')`,
    [host.id],
  );
});
afterAll(() => harness.stop());

const stateOf = async (of: FakeHost) => {
  const row = await harness.one<{ state: string; conditions: { type: string }[] }>(
    'SELECT state, conditions FROM orchestrator.hosts WHERE id = $1',
    [of.id],
  );
  return { state: row.state, conditions: row.conditions.map(({ type }) => type) };
};
const act = (action: 'fence' | 'uncordon') => harness.get(HostActions).act(harness.meta(), host.id, action);
const facts = (): VmFact[] =>
  [...host.power].map(([vmId, power]) => ({ vmId, power, incarnation: 1, reason: null }));

/** Whether the disk of a VM has no data but its image. */
const rebuildable = (yes: boolean) =>
  harness.admin.query(
    `INSERT INTO orchestrator.images (name, rebuildable) VALUES ('ubuntu-22.04', $1)
     ON CONFLICT (name) DO UPDATE SET rebuildable = excluded.rebuildable`,
    [yes],
  );

/** Lets the host be unreachable until it is down. */
async function fallSilent(): Promise<void> {
  await harness.admin.query(
    `UPDATE orchestrator.heartbeats SET at = now() - interval '1 hour' WHERE host_id = $1`,
    [host.id],
  );
  await until(async () => (await stateOf(host)).state === 'down');
}

const idle = (id: VmId) => harness.until(id, (vm) => vm.task === null);

/** Lets the agent send heartbeats again, until they are in the database. */
async function isHeard(): Promise<void> {
  await host.send('heartbeat', { epoch: 1, seq: 1_000, guests: host.power.size });
  await until(async () => {
    const received = await harness.one<{ ago: number }>(
      `SELECT extract(epoch FROM now() - at)::float8 AS ago FROM orchestrator.heartbeats WHERE host_id = $1`,
      [host.id],
    );
    return received.ago < 3;
  });
}

describe('a host that was unreachable and fenced, and whose agent returns', () => {
  let lost: VmId;
  let off: VmId;
  let kept: VmId;

  beforeAll(async () => {
    lost = (await harness.running('lost-1')).id;
    off = (await harness.running('off-1')).id;
    kept = (await harness.running('kept-1')).id;
    await harness.act(off, 'stop');
    await idle(off);
    await fallSilent();
    await act('fence');
    expect(await harness.row(lost)).toMatchObject({ state: 'stopped', stop_reason: 'host_lost' });
    await isHeard();
  });

  it('receives no start: when the disk has data of its own, the start explains the refusal', async () => {
    const received = host.commands.length;
    await rebuildable(false);
    await expect(harness.act(lost, 'start')).rejects.toMatchObject({
      code: 'invalid_state',
      detail: expect.stringMatching(/fenced.*not rebuildable/),
    });
    expect(host.commands).toHaveLength(received);
  });

  it('receives no start: when no other host has the image, the start explains the refusal', async () => {
    const received = host.commands.length;
    await rebuildable(true);
    await expect(harness.act(lost, 'start')).rejects.toMatchObject({
      code: 'invalid_state',
      detail: expect.stringMatching(/fenced.*no other host/),
    });
    await host.send('report', { epoch: 1, seq: 1_001, facts: facts() });
    expect(await harness.row(lost)).toMatchObject({ state: 'stopped', stop_reason: 'host_lost', task: null });
    expect(host.commands).toHaveLength(received);
  });

  describe('when its lost VM finds no capacity elsewhere', () => {
    let full: FakeHost;
    beforeAll(async () => {
      full = await harness.addHost({ cpu: 1, memory: 1, disk: 1 });
    });
    afterAll(() => harness.get(HostActions).act(harness.meta(), full.id, 'cordon'));

    const waits = async () => {
      const { body } = await harness.act(lost, 'start');
      await harness.until(lost, (vm) => vm.conditions.some(({ type }) => type === 'CapacityAvailable'));
      return body.job?.id as JobId;
    };
    const asBefore = async (code: string) => {
      const vm = await idle(lost);
      expect(vm).toMatchObject({ state: 'stopped', stop_reason: 'host_lost', host_id: host.id });
      expect(vm.last_error).toMatchObject({ code });
      expect(vm.conditions.map(({ type }) => type)).not.toContain('CapacityAvailable');
      const left = await harness.one<{ n: number }>(
        'SELECT count(*)::int AS n FROM orchestrator.cleanups WHERE vm_id = $1',
        [lost],
      );
      expect(left.n).toBe(0);
    };

    it('keeps the VM unchanged when the start is cancelled', async () => {
      await harness.get(JobCanceller).cancel(harness.meta(), await waits());
      await asBefore('cancelled');
    });

    it('keeps the VM unchanged when the start has reached its deadline', async () => {
      const id = await waits();
      await harness.admin.query(
        `UPDATE orchestrator.jobs SET deadline = now() - interval '1 s' WHERE id = $1`,
        [id],
      );
      await asBefore('no_capacity');
    });
  });

  it('has its lost VM started on another host, with a new disk', async () => {
    const received = host.commands.length;
    const other = await harness.addHost();
    const { body } = await harness.act(lost, 'start');
    expect(body.vm).toMatchObject({ state: 'pending', desiredState: 'running' });
    expect(await idle(lost)).toMatchObject({
      state: 'running',
      host_id: other.id,
      stop_reason: null,
      conditions: [],
    });
    expect(other.of(lost)).toEqual(['create', 'start']);
    expect(host.commands).toHaveLength(received);
  });

  it('keeps the clean-up of a VM that is deleted, and receives no delete yet', async () => {
    const received = host.commands.length;
    const quota = (await harness.allocated()).quota;
    await harness.act(off, 'delete');
    expect(await harness.until(off, (vm) => vm.state === 'deleted')).toMatchObject({ host_id: null });
    expect((await harness.allocated()).quota).toBe(quota - 1);
    expect(host.commands).toHaveLength(received);
  });

  it('gets commands again once its inventory has been applied after the uncordon', async () => {
    const received = host.commands.length;
    await isHeard();
    await act('uncordon');
    expect(await stateOf(host)).toEqual({ state: 'up', conditions: ['Reconciling'] });
    await harness.act(kept, 'start');
    await until(async () => {
      const waits = await harness.one<{ n: number }>(
        `SELECT count(*)::int AS n FROM orchestrator.jobs WHERE vm_id = $1 AND status = 'waiting'`,
        [kept],
      );
      return waits.n === 1;
    });
    expect(host.commands).toHaveLength(received);

    await host.send('inventory', { epoch: 1, seq: 1_002, part: 0, parts: 1, facts: facts() });
    expect((await stateOf(host)).conditions).toEqual([]);
    expect(await idle(kept)).toMatchObject({ state: 'running', host_id: host.id });
    // Its copies of VMs that are elsewhere or deleted are removed.
    await until(() => host.of(lost).includes('delete') && host.of(off).includes('delete'));
    expect(await harness.row(lost)).toMatchObject({ state: 'running' });
    const vms = () =>
      harness.one<{ vm_count: number }>('SELECT vm_count FROM orchestrator.hosts WHERE id = $1', [host.id]);
    await until(async () => (await vms()).vm_count === 1);
  });
});
