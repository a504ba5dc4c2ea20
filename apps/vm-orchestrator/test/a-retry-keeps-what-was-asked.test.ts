import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { JobId, VmId } from '@novacron/contracts/ids';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import { optionsOf, type JobArgs } from '../src/jobs/args.js';
import type { JobKind } from '../src/vms/row.js';
import { OPERATIONS } from '../src/operations/registry.js';
import { JobCanceller } from '../src/admission/cancel-job.js';
import { JobRetrier } from '../src/admission/retry-job.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
});
afterAll(() => harness.stop());
afterEach(() => {
  harness.host.interfere = () => undefined;
});

interface Stored {
  id: JobId;
  status: string;
  args: JobArgs;
}
const lastJob = (id: VmId) =>
  harness.one<Stored>(
    'SELECT id, status, args FROM orchestrator.jobs WHERE vm_id = $1 ORDER BY created_at DESC LIMIT 1',
    [id],
  );
const idle = (id: VmId) => harness.until(id, (vm) => vm.task === null);
const retry = (job: JobId) => harness.get(JobRetrier).retry(harness.meta(), job);

/** Every command of the host fails, for good; a failed create leaves nothing behind. */
function failing(): void {
  harness.host.interfere = (command, host) => (command.kind === 'delete' ? undefined : host.fail(command));
}

describe('a retried job', () => {
  // A create has its wish in the VM, see below. A delete never fails: it goes on until it is done or overdue.
  const actions = (Object.keys(OPERATIONS) as JobKind[]).filter(
    (kind): kind is VmAction => kind !== 'create' && kind !== 'delete',
  );
  const first: Partial<Record<VmAction, VmAction>> = { start: 'stop', resume: 'pause' };

  it.each(actions)('of %s has the arguments of its caller', async (action) => {
    const { id } = await harness.running(`retried-${action}`);
    const before = first[action];
    if (before) {
      await harness.act(id, before);
      await idle(id);
    }
    failing();
    await harness.act(id, action, 7);
    await idle(id);
    const failed = await lastJob(id);
    expect(failed.status).toBe('failed');

    harness.host.interfere = () => undefined;
    // A force-stop that failed leaves the VM unknown; every other one where it was.
    const { body: job } = await retry(failed.id);
    expect(job.kind).toBe(action);
    const again = await lastJob(id);
    expect(again.id).toBe(job.id);
    expect(optionsOf(again.args)).toEqual({ graceSeconds: 7 });
    await idle(id);
    expect((await lastJob(id)).status).toBe('succeeded');
  });

  it('gives the guest the grace of the first one', async () => {
    const { id } = await harness.running('grace-1');
    failing();
    await harness.act(id, 'reboot', 7);
    await idle(id);
    harness.host.interfere = () => undefined;
    await retry((await lastJob(id)).id);
    await idle(id);
    // By id: a command is repeated under its id when its answer takes too long.
    const graces = new Map(
      harness.host.commands.flatMap((c) =>
        c.vmId === id && c.kind === 'reboot' ? [[c.commandId, c.graceMs] as const] : [],
      ),
    );
    expect([...graces.values()]).toEqual([7_000, 7_000]);
  });
});

describe('a create without autostart', () => {
  it.each(['the VM', 'its job'])('ends in stopped when %s is retried after a failure', async (what) => {
    failing();
    const { id } = await harness.create(`off-${what.replaceAll(' ', '-').toLowerCase()}`, {
      autostart: false,
    });
    await harness.until(id, (vm) => vm.state === 'error');
    harness.host.interfere = () => undefined;
    if (what === 'the VM') await harness.act(id, 'retry');
    else await retry((await lastJob(id)).id);
    expect(await idle(id)).toMatchObject({ state: 'stopped', desired_state: 'stopped' });
    expect(harness.host.of(id)).not.toContain('start');
  });

  it('ends in stopped when it is retried after a cancel', async () => {
    await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = false');
    await harness.snapshot.refresh();
    const { id } = await harness.create('off-cancelled', { autostart: false });
    await harness.get(JobCanceller).cancel(harness.meta(), (await lastJob(id)).id);
    expect((await harness.row(id)).state).toBe('error');
    await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = true');
    await harness.snapshot.refresh();
    await retry((await lastJob(id)).id);
    expect(await idle(id)).toMatchObject({ state: 'stopped', stop_reason: 'not_started' });
    expect(harness.host.of(id)).not.toContain('start');
  });
});

describe('a create whose guest did not start', () => {
  it('starts it when its job is retried', async () => {
    harness.host.interfere = (command, host) => (command.kind === 'start' ? host.fail(command) : undefined);
    const { id } = await harness.create('unstarted-1');
    await harness.until(id, (vm) => vm.stop_reason === 'start_failed');
    harness.host.interfere = () => undefined;
    await retry((await lastJob(id)).id);
    expect(await idle(id)).toMatchObject({ state: 'running' });
  });
});
