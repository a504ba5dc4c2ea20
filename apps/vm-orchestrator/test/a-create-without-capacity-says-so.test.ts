import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '@novacron/testkit/wait';
import type { VmId } from '@novacron/contracts/ids';
import { QuotaOfFailedCreates1764032400000 } from '../src/migrations/0010-quota-of-failed-creates.js';
import { JobCanceller } from '../src/admission/cancel-job.js';
import { OrchestratorHarness, spec } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start({ env: { NOVACRON_QUOTA_VMS: '3' } });
}, 120_000);
afterAll(() => harness?.stop());

/** Sets whether placement may use the host. */
async function schedulable(is: boolean): Promise<void> {
  await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = $1', [is]);
  await harness.snapshot.refresh();
}
const expire = (id: VmId) =>
  harness.admin.query(
    `UPDATE orchestrator.jobs SET deadline = now() - interval '1 s', due_at = now() WHERE vm_id = $1`,
    [id],
  );
const waits = (id: VmId) => harness.until(id, (vm) => vm.conditions.length > 0);
/** A VM that has waited for a host until its deadline. */
async function failed(name: string): Promise<VmId> {
  const { id } = await harness.create(name);
  await waits(id);
  await expire(id);
  await harness.until(id, (vm) => vm.state === 'error');
  return id;
}
const used = async () => (await harness.allocated()).quota;
async function remove(id: VmId): Promise<void> {
  await harness.act(id, 'delete');
  await harness.until(id, (vm) => vm.state === 'deleted');
}

describe('a create that no host has capacity for', () => {
  beforeEach(() => schedulable(false));
  afterEach(() => schedulable(true));

  it('shows the condition CapacityAvailable=false with the placement summary while it waits', async () => {
    const { id } = await harness.create('waits-1');
    const waiting = await waits(id);
    expect(waiting).toMatchObject({
      state: 'pending',
      conditions: [
        {
          type: 'CapacityAvailable',
          status: 'false',
          reason: 'NoHostFits',
          message: expect.stringContaining('schedulable refused 1'),
        },
      ],
    });
    await schedulable(true);
    const placed = await harness.until(id, (vm) => vm.state === 'running');
    expect(placed.conditions).toEqual([]);
    await remove(id);
  });

  it('makes one version of the VM for one explanation, however often it is placed again', async () => {
    const { id } = await harness.create('waits-2');
    const { version } = await waits(id);
    const attempts = () =>
      harness.one<{ attempt: number }>('SELECT attempt FROM orchestrator.jobs WHERE vm_id = $1', [id]);
    await until(async () => (await attempts()).attempt >= 3);
    expect((await harness.row(id)).version).toBe(version);
    await remove(id);
  });

  it('ends in error with the code no_capacity and the summary', async () => {
    const id = await failed('fails-1');
    expect(await harness.row(id)).toMatchObject({
      last_error: { code: 'no_capacity', detail: expect.stringContaining('schedulable refused 1') },
      conditions: [{ type: 'CapacityAvailable', status: 'false' }],
    });
    const job = await harness.one<{ error: { code: string } }>(
      'SELECT error FROM orchestrator.jobs WHERE vm_id = $1',
      [id],
    );
    expect(job.error.code).toBe('no_capacity');
    await remove(id);
  });
});

describe('the quota', () => {
  afterEach(() => schedulable(true));

  it('is not held by a VM whose create failed, and is taken again by its retry', async () => {
    await schedulable(false);
    const id = await failed('quota-1');
    expect(await used()).toBe(0);
    await schedulable(true);
    await harness.act(id, 'retry');
    expect(await used()).toBe(1);
    const vm = await harness.until(id, (row) => row.state === 'running');
    expect(vm).toMatchObject({ quota_held: true, conditions: [], last_error: null });
    await remove(id);
    expect(await used()).toBe(0);
  });

  it('refuses the retry when other VMs have taken it', async () => {
    await schedulable(false);
    const id = await failed('quota-2');
    await schedulable(true);
    const others = [];
    for (const n of [1, 2, 3]) others.push((await harness.running(`other-${n}`)).id);
    await expect(harness.act(id, 'retry')).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(await harness.row(id)).toMatchObject({ state: 'error', quota_held: false });
    for (const other of others) await remove(other);
    await remove(id);
    expect(await used()).toBe(0);
  });

  it('is not held after a cancelled create, or one that its host failed', async () => {
    await schedulable(false);
    const cancelled = await harness.create('quota-3');
    await waits(cancelled.id);
    await harness.get(JobCanceller).cancel(harness.meta(), cancelled.task?.jobId as never);
    expect(await used()).toBe(0);
    expect(await harness.row(cancelled.id)).toMatchObject({ state: 'error', conditions: [] });
    await schedulable(true);
    harness.host.interfere = (command, host) => (command.kind === 'create' ? host.fail(command) : undefined);
    const { id } = await harness.create('quota-4');
    await harness.until(id, (vm) => vm.state === 'error');
    harness.host.interfere = () => undefined;
    expect(await used()).toBe(0);
    await remove(cancelled.id);
    await remove(id);
    expect(await used()).toBe(0);
  });

  it('is released once by the migration for VMs that failed before it', async () => {
    await schedulable(false);
    const id = await failed('quota-5');
    const { config } = spec('quota-5');
    await harness.admin.query('UPDATE orchestrator.vms SET quota_held = true WHERE id = $1', [id]);
    await harness.admin.query(
      `UPDATE orchestrator.quotas SET used_vms = 1, used_cpu = $2, used_memory = $3, used_disk = $4
       WHERE tenant_id = $1`,
      [harness.tenantId, config.cpu, config.memory, config.disk],
    );
    const query = (sql: string) => harness.admin.query(`SET search_path = orchestrator; ${sql}`);
    for (let i = 0; i < 2; i++) await new QuotaOfFailedCreates1764032400000().up({ query } as never);
    const quota = await harness.one('SELECT * FROM orchestrator.quotas WHERE tenant_id = $1', [
      harness.tenantId,
    ]);
    expect(quota).toMatchObject({ used_vms: '0', used_cpu: '0', used_memory: '0', used_disk: '0' });
  });
});
