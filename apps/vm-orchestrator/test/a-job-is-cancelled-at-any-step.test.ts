import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Command } from '@novacron/contracts/agents';
import type { JobId, VmId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import type { JobRow } from '../src/jobs/row.js';
import { OPERATIONS } from '../src/operations/registry.js';
import { JobCanceller } from '../src/admission/cancel-job.js';
import { JobRetrier } from '../src/admission/retry-job.js';
import { Worker } from '../src/jobs/worker.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start({ env: { NOVACRON_JOB_SLOTS: '2' } });
});
afterAll(() => harness.stop());

let release = (): void => undefined;
afterEach(() => {
  release();
  harness.host.interfere = () => undefined;
  harness.host.obeysShutdown = true;
});

/** Holds the first command of a kind on the host, before it has its effect. */
function hold(kind: Command['kind']): { vmId: VmId | null } {
  const held: { vmId: VmId | null } = { vmId: null };
  const released = new Promise<void>((resolve) => (release = resolve));
  harness.host.interfere = async (command) => {
    if (command.kind !== kind || held.vmId !== null) return undefined;
    held.vmId = command.vmId;
    await released;
    // A command that was overtaken: the agent refuses it by its fence.
    return 'silence';
  };
  return held;
}

const jobOf = (id: VmId) =>
  harness.one<JobRow>('SELECT * FROM orchestrator.jobs WHERE vm_id = $1 ORDER BY created_at DESC LIMIT 1', [
    id,
  ]);
const cancel = (id: JobId) =>
  harness
    .get(JobCanceller)
    .cancel(harness.meta(), id)
    .then(({ body }) => body);
const idle = (id: VmId) => harness.until(id, (vm) => vm.task === null);

/** A VM whose job stands at the step that sends `kind`. */
async function heldAt(name: string, action: VmAction | 'create', kind: Command['kind']): Promise<VmId> {
  if (action === 'create') {
    const held = hold(kind);
    const { id } = await harness.create(name);
    await until(() => held.vmId === id);
    return id;
  }
  const { id } = await harness.running(name);
  const first: Partial<Record<VmAction, VmAction>> = { start: 'stop', resume: 'pause' };
  if (first[action]) {
    await harness.act(id, first[action]);
    await idle(id);
  }
  const held = hold(kind);
  await harness.act(id, action);
  await until(() => held.vmId === id);
  return id;
}

describe('a step that can be undone', () => {
  it.each([
    ['create', 'create', { state: 'error', host_id: null, desired_state: 'running' }, 'absent'],
    ['create', 'start', { state: 'stopped', stop_reason: 'start_cancelled' }, 'stopped'],
    ['start', 'start', { state: 'stopped', desired_state: 'stopped' }, 'stopped'],
    ['pause', 'pause', { state: 'running', desired_state: 'running' }, 'running'],
    ['resume', 'resume', { state: 'paused', desired_state: 'paused' }, 'paused'],
  ] as const)('of %s (command %s) is undone when its job is cancelled', async (action, kind, vm, power) => {
    const before = await harness.allocated();
    const id = await heldAt(`undone-${action}-${kind}`, action, kind);
    const cancelling = await cancel((await jobOf(id)).id);
    expect(cancelling).toMatchObject({ status: 'waiting', error: { code: 'cancelled' } });
    expect(await idle(id)).toMatchObject({ ...vm, last_error: { code: 'cancelled' } });
    expect(harness.host.power.get(id)).toBe(power);
    expect(await jobOf(id)).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
    if (vm.state === 'error') expect((await harness.allocated()).hosts).toBe(before.hosts);
  });

  it('answers a second cancel with the job that is being cancelled', async () => {
    const id = await heldAt('twice-1', 'create', 'create');
    const job = await jobOf(id);
    const held = harness.host.interfere;
    harness.host.interfere = (command, host) => (command.kind === 'delete' ? 'silence' : held(command, host));
    await cancel(job.id);
    expect(await cancel(job.id)).toMatchObject({ id: job.id, error: { code: 'cancelled' } });
    harness.host.interfere = () => undefined;
    await idle(id);
  });

  it('can be retried when it was undone', async () => {
    const id = await heldAt('again-1', 'create', 'start');
    const { id: jobId } = await jobOf(id);
    await cancel(jobId);
    await idle(id);
    release();
    harness.host.interfere = () => undefined;
    await harness.get(JobRetrier).retry(harness.meta(), jobId);
    expect(await idle(id)).toMatchObject({ state: 'running', desired_state: 'running' });
  });
});

describe('a step that cannot be undone', () => {
  it.each([
    ['stop', 'shutdown'],
    ['stop', 'observe'],
    ['stop', 'force-stop'],
    ['force-stop', 'force-stop'],
    ['reboot', 'reboot'],
    ['reset', 'reset'],
    ['delete', 'delete'],
  ] as const)('of %s (command %s) goes on when a cancel is refused with the reason', async (action, kind) => {
    harness.host.obeysShutdown = false;
    const id = await heldAt(`too-late-${action}-${kind}`, action, kind);
    const { id: jobId } = await jobOf(id);
    await expect(cancel(jobId)).rejects.toMatchObject({
      code: 'job_not_cancellable',
      detail: expect.stringMatching(/too late: .{10}/),
    });
    release();
    harness.host.interfere = () => undefined;
    await idle(id);
    expect((await jobOf(id)).status).toBe('succeeded');
  });
});

describe('a job that no worker has begun', () => {
  it.each(['stop', 'force-stop', 'reboot', 'pause', 'start'] as const)(
    'of %s is cancelled at once, and its VM is as before',
    async (action) => {
      const ids: VmId[] = [];
      for (const n of [1, 2]) ids.push((await harness.running(`filler-${action}-${n}`)).id);
      const { id } = await harness.running(`queued-${action}`);
      if (action === 'start') {
        await harness.act(id, 'stop');
        await idle(id);
      }
      const before = await harness.row(id);
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      harness.host.interfere = async () => void (await released);
      // Two slots, both taken.
      for (const filler of ids) await harness.act(filler, 'pause');
      await until(() => harness.get(Worker).free === 0);
      await harness.act(id, action);
      expect((await jobOf(id)).status).toBe('queued');
      expect(await cancel((await jobOf(id)).id)).toMatchObject({ status: 'cancelled' });
      const { state, desired_state, stop_reason } = before;
      expect(await harness.row(id)).toMatchObject({ state, desired_state, stop_reason, task: null });
      release();
      for (const filler of ids) await idle(filler);
    },
  );
});

describe('every step of every operation', () => {
  it('declares the effect of a cancel', () => {
    for (const operation of Object.values(OPERATIONS)) {
      for (const { name, cancel } of operation.steps)
        expect([name, cancel.by]).toEqual([name, expect.any(String)]);
    }
  });
});
