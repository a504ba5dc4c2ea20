import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@novacron/testkit/wait';
import { randomUUID } from 'node:crypto';
import { newId, type TenantId } from '@novacron/contracts/ids';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import { LEASE_MS } from '../src/jobs/leases.js';
import { OPERATIONS } from '../src/operations/registry.js';
import { VmCreator } from '../src/admission/create.js';
import { Worker } from '../src/jobs/worker.js';
import { OrchestratorHarness, spec } from './support/orchestrator-harness.js';

/** Sooner than a lease ends. */
const WITHOUT_A_LEASE_MS = LEASE_MS - 5_000;

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
});
afterAll(() => harness.stop());
afterEach(() => {
  harness.host.interfere = () => undefined;
  harness.host.obeysShutdown = true;
});

/** Moves the deadline of the live job to the past. */
async function expire(vmId: string): Promise<void> {
  await harness.admin.query(
    `UPDATE orchestrator.jobs SET deadline = now() - interval '1 s', due_at = now(), attempt = greatest(attempt, 1)
     WHERE vm_id = $1 AND status = 'waiting'`,
    [vmId],
  );
}

async function untilWaiting(vmId: string): Promise<void> {
  await until(async () => {
    const waiting = await harness.one<{ n: number }>(
      `SELECT count(*)::int AS n FROM orchestrator.jobs WHERE vm_id = $1 AND status = 'waiting'`,
      [vmId],
    );
    return waiting.n > 0;
  });
}

describe('a create that fails', () => {
  it('while provisioning is undone: error, nothing left on the host, nothing allocated', async () => {
    const before = await harness.allocated();
    harness.host.interfere = (command, host) => (command.kind === 'create' ? host.fail(command) : undefined);
    const { id } = await harness.create('fails-1');
    const vm = await harness.until(id, (v) => v.state === 'error');
    expect(vm).toMatchObject({
      host_id: null,
      task: null,
      last_error: { code: 'driver_error', detail: 'ordered to fail' },
    });
    expect(harness.host.of(id)).toEqual(['create', 'delete']);
    expect((await harness.allocated()).hosts).toBe(before.hosts);

    harness.host.interfere = () => undefined;
    await harness.act(id, 'retry');
    await harness.until(id, (v) => v.state === 'running');
  });

  it('while starting leaves a stopped VM that can be started', async () => {
    harness.host.interfere = (command, host) => (command.kind === 'start' ? host.fail(command) : undefined);
    const { id } = await harness.create('fails-2');
    const vm = await harness.until(id, (v) => v.task === null);
    expect(vm).toMatchObject({
      state: 'stopped',
      stop_reason: 'start_failed',
      last_error: { code: 'driver_error' },
    });
    harness.host.interfere = () => undefined;
    await harness.act(id, 'start');
    await harness.until(id, (v) => v.state === 'running' && v.last_error === null);
  });

  it('is tried again while the host reports a retryable failure', async () => {
    let failures = 2;
    harness.host.interfere = (command, host) =>
      command.kind === 'create' && failures-- > 0 ? host.fail(command, true) : undefined;
    const { id } = await harness.running('fails-3');
    expect(harness.host.of(id)).toEqual(['create', 'create', 'create', 'start']);
    const ids = new Set(
      harness.host.commands.filter((c) => c.vmId === id && c.kind === 'create').map((c) => c.commandId),
    );
    expect(ids.size).toBe(1);
  });

  it('is an error at once when no host is large enough, with the explanation stored', async () => {
    const huge = { config: { cpu: 200, memory: 4_194_304, disk: 65_536, image: 'ubuntu-22.04' } };
    await harness.addHost({ cpu: 4, memory: 8_192, disk: 100 });
    await harness.admin.query('UPDATE orchestrator.hosts SET cpu = 100 WHERE cpu > 100');
    await harness.snapshot.refresh();
    const { id } = await harness.create('huge-1', huge);
    const vm = await harness.until(id, (v) => v.state === 'error');
    expect(vm.last_error?.code).toBe('no_capacity');
    const placement = await harness.one<{ explanation: { rejections: { filter: string }[] } }>(
      'SELECT explanation FROM orchestrator.placements WHERE vm_id = $1',
      [id],
    );
    expect(placement.explanation.rejections.map((r) => r.filter)).toContain('cpu');
    await harness.admin.query('UPDATE orchestrator.hosts SET cpu = 10000 WHERE cpu = 100');
    await harness.snapshot.refresh();
  });

  it('waits when no host has capacity, and takes the capacity that becomes free', async () => {
    await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = false');
    await harness.snapshot.refresh();
    const { id } = await harness.create('patient-1');
    await untilWaiting(id);
    expect((await harness.row(id)).state).toBe('pending');
    await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = true');
    await harness.until(id, (v) => v.state === 'running');
  });
});

describe('a step that ended while the database refused', () => {
  it('is run again soon after the database recovers, long before its lease is over', async () => {
    let refusing = false;
    harness.host.interfere = async (command) => {
      if (command.kind === 'create') {
        await harness.admin.query('REVOKE UPDATE ON orchestrator.jobs FROM orchestrator_sys');
        refusing = true;
      }
      return undefined;
    };
    const { id } = await harness.create('unwritten-1');
    // The host records a command before it obeys, and the worker has the answer before the commit: the step is over
    // when the worker is idle.
    await until(() => refusing && harness.get(Worker).busy === 0);
    expect((await harness.row(id)).state).toBe('provisioning');
    harness.host.interfere = () => undefined;
    await harness.admin.query('GRANT UPDATE ON orchestrator.jobs TO orchestrator_sys');
    await harness.until(id, (v) => v.state === 'running', WITHOUT_A_LEASE_MS);
    expect(harness.host.of(id)).toEqual(['create', 'create', 'start']);
  });
});

describe('delete and force-stop take precedence over work in flight', () => {
  it.each<[VmAction, string]>([
    ['delete', 'deleted'],
    ['force-stop', 'stopped'],
  ])('%s ends a start that hangs', async (action, state) => {
    harness.host.interfere = (command) => (command.kind === 'start' ? 'silence' : undefined);
    const { id } = await harness.create(`hangs-${action}`);
    await harness.until(id, (v) => v.state === 'starting');
    const fenceBefore = (await harness.row(id)).fence;
    await harness.act(id, action);
    const vm = await harness.until(id, (v) => v.state === state);
    expect(Number(vm.fence)).toBeGreaterThan(Number(fenceBefore));
    const old = await harness.one<{ status: string }>(
      `SELECT status FROM orchestrator.jobs WHERE vm_id = $1 AND kind = 'create'`,
      [id],
    );
    expect(old.status).toBe('cancelled');
  });

  it('a force-stop before the guest exists lets the create end in stopped', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    harness.host.interfere = async (command) => {
      if (command.kind === 'create') await held;
      return undefined;
    };
    const { id } = await harness.create('taken-back');
    await harness.until(id, (v) => v.state === 'provisioning');
    const { body } = await harness.act(id, 'force-stop');
    expect(body.job?.kind).toBe('create');
    release();
    const vm = await harness.until(id, (v) => v.task === null);
    expect(vm).toMatchObject({ state: 'stopped', stop_reason: 'not_started' });
    expect(harness.host.of(id)).not.toContain('start');
  });
});

describe('a create without autostart', () => {
  it('ends in running when it is started before the guest exists', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    harness.host.interfere = async (command) => {
      if (command.kind === 'create') await held;
      return undefined;
    };
    const { id } = await harness.create('started-meanwhile', { autostart: false });
    await until(() => harness.host.of(id).length > 0);
    const { body } = await harness.act(id, 'start');
    expect([body.job?.kind, body.vm.desiredState]).toEqual(['create', 'running']);
    release();
    const vm = await harness.until(id, (v) => v.task === null);
    expect(vm).toMatchObject({
      state: 'running',
      desired_state: 'running',
      observed_generation: vm.generation,
    });
  });
});

describe('an action whose final state is reached already', () => {
  it('becomes the desired state: a guest that powered itself off stays off', async () => {
    const { id } = await harness.running('off-already');
    await harness.admin.query(
      `UPDATE orchestrator.vms SET state = 'stopped', stop_reason = 'guest_shutdown' WHERE id = $1`,
      [id],
    );
    const { body } = await harness.act(id, 'stop');
    expect([body.job, body.vm.desiredState]).toEqual([null, 'stopped']);
    const { version } = await harness.row(id);
    await harness.act(id, 'stop');
    expect((await harness.row(id)).version).toBe(version);
  });
});

describe('a passed deadline', () => {
  it('of a delete deletes the VM when its host does not answer, and leaves a clean-up', async () => {
    const { id, host_id } = await harness.running('unreachable-1');
    const before = await harness.allocated();
    harness.host.interfere = (command) => (command.vmId === id ? 'silence' : undefined);
    const host = harness.hosts.find((h) => h.id === host_id);
    if (host) host.interfere = harness.host.interfere;
    await harness.act(id, 'delete');
    await untilWaiting(id);
    await expire(id);
    const vm = await harness.until(id, (v) => v.state === 'deleted');
    expect(vm.quota_held).toBe(false);
    const left = await harness.one<{ n: number }>(
      'SELECT count(*)::int AS n FROM orchestrator.cleanups WHERE vm_id = $1',
      [id],
    );
    expect(left.n).toBe(1);
    const after = await harness.allocated();
    expect(after).toEqual({ hosts: before.hosts, quota: before.quota - 1 });
    if (host) host.interfere = () => undefined;
    // The resync has a test of its own for what becomes of it; a host gets nothing new before.
    await harness.admin.query('DELETE FROM orchestrator.cleanups');
    await harness.snapshot.refresh();
  });

  it.each<[VmAction, string]>([
    ['stop', 'unknown'],
    ['reboot', 'unknown'],
    ['pause', 'running'],
  ])('of %s leaves the VM %s, and says what it waited for', async (action, state) => {
    const { id, host_id } = await harness.running(`late-${action}`);
    const host = harness.hosts.find((h) => h.id === host_id);
    if (host) host.interfere = () => 'silence';
    await harness.act(id, action);
    await untilWaiting(id);
    await expire(id);
    const vm = await harness.until(id, (v) => v.task === null);
    if (host) host.interfere = () => undefined;
    expect([vm.state, vm.last_error?.code]).toEqual([state, 'deadline_exceeded']);
    expect(vm.last_error?.detail).toContain('the host does not answer');
  });
});

describe('every step', () => {
  const reachable = Object.keys(OPERATIONS).filter((kind) => kind !== 'create') as VmAction[];
  const from: Partial<Record<VmAction, VmAction>> = { start: 'stop', resume: 'pause' };

  it.each(reachable)(
    'of %s may run twice: the worker dies before its commit, another one runs it again',
    async (action) => {
      const { id } = await harness.running(`twice-${action}`);
      const first = from[action];
      if (first) {
        await harness.act(id, first);
        await harness.until(id, (v) => v.task === null);
      }
      // The lease is taken away once the command is done: as after a crash between the host's answer and the commit.
      let stolen = false;
      const steal: OrchestratorHarness['host']['interfere'] = async (command, at) => {
        if (stolen || command.vmId !== id) return undefined;
        stolen = true;
        const done = at.obey(command);
        await harness.admin.query(
          `UPDATE orchestrator.jobs SET lease_owner = NULL, status = 'queued', due_at = now() WHERE vm_id = $1 AND status = 'running'`,
          [id],
        );
        return done;
      };
      for (const each of harness.hosts) each.interfere = steal;
      await harness.act(id, action);
      const vm = await harness.until(id, (v) => v.task === null);
      for (const each of harness.hosts) each.interfere = () => undefined;
      expect(stolen).toBe(true);
      const job = await harness.one<{ status: string }>(
        `SELECT status FROM orchestrator.jobs WHERE vm_id = $1 AND kind = $2 ORDER BY created_at DESC LIMIT 1`,
        [id, action],
      );
      expect([job.status, vm.last_error]).toEqual(['succeeded', null]);
    },
  );
});

describe('two orchestrators', () => {
  it('hand over: the other takes the jobs of one that drains at once, also those accepted meanwhile', async () => {
    const tenant = { tenantId: newId<TenantId>() };
    const ending = await OrchestratorHarness.serve(harness.servers);
    const creator = ending.app.get(VmCreator, { strict: false });
    const create = (i: number) => creator.create(harness.meta(tenant), spec(`handed-${i}`));
    const before = await Promise.all(Array.from({ length: 20 }, (_, i) => create(i)));
    const stopped = ending.stop();
    const after = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => create(20 + i)));
    await stopped;
    const accepted = [...before, ...after.flatMap((a) => (a.status === 'fulfilled' ? [a.value] : []))];
    for (const { body } of accepted)
      await harness.until(body.id, (vm) => vm.state === 'running', WITHOUT_A_LEASE_MS);
  });

  it('share the jobs of 100 creates; when one is stopped, the other finishes them all', async () => {
    const tenant = { tenantId: newId<TenantId>() };
    const second = await OrchestratorHarness.serve(harness.servers);
    const other = second.app.get(VmCreator, { strict: false });
    const made = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        (i % 2 ? harness.creator : other)
          .create(harness.meta(tenant), spec(`pair-${i}`))
          .then((r) => r.body.id),
      ),
    );
    await second.stop();
    for (const id of made) await harness.until(id, (v) => v.state === 'running');
    const starts = harness.hosts
      .flatMap((h) => h.commands)
      .filter((c) => c.kind === 'start' && made.includes(c.vmId));
    expect(new Set(starts.map((c) => c.vmId)).size).toBe(100);
  });

  it('one without heartbeats loses its leases to the other within seconds, not at their end', async () => {
    const { id } = await harness.running('orphan-1');
    await harness.act(id, 'pause');
    await harness.until(id, (v) => v.task === null);
    for (const each of harness.hosts) each.interfere = () => 'silence';
    await harness.act(id, 'resume');
    // The row of a process that was killed in the middle of a step: leased, without a worker.
    const dead = randomUUID();
    await until(async () => {
      const taken = await harness.admin.query(
        `UPDATE orchestrator.jobs SET status = 'running', lease_owner = $2, due_at = now() + interval '30 s'
         WHERE vm_id = $1 AND status = 'waiting'`,
        [id, dead],
      );
      return taken.rowCount === 1;
    });
    await harness.admin.query(
      `INSERT INTO orchestrator.workers (owner, seen_at) VALUES ($1, now() - interval '4 s')`,
      [dead],
    );
    for (const each of harness.hosts) each.interfere = () => undefined;
    await harness.until(id, (v) => v.state === 'running', WITHOUT_A_LEASE_MS);
  });
});
