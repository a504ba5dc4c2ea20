import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { GUEST_FAULTS, type CommandReply, type VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
});
afterAll(() => harness.stop());
afterEach(() => {
  harness.host.interfere = () => undefined;
});

/** From now on, answers to `kind` contain this fact. */
function tell(kind: string, about: Partial<VmFact>): void {
  harness.host.interfere = (command, host) => {
    if (command.kind !== kind) return undefined;
    const reply = host.obey(command) as Extract<CommandReply, { outcome: 'done' }>;
    return { ...reply, fact: { ...reply.fact, ...about } };
  };
}

async function expire(id: VmId): Promise<void> {
  await harness.admin.query(
    `UPDATE orchestrator.jobs SET deadline = now() - interval '1 s', due_at = now(), attempt = greatest(attempt, 1)
     WHERE vm_id = $1 AND status = 'waiting'`,
    [id],
  );
}

describe('a VM', () => {
  it('has GuestReady from the answer to its start, and loses it when it stops', async () => {
    tell('start', { ready: false });
    const booting = await harness.running('booting');
    expect(booting.conditions).toMatchObject([{ type: 'GuestReady', status: 'false' }]);
    tell('start', { ready: true });
    const { id, conditions } = await harness.running('up');
    expect(conditions).toMatchObject([{ type: 'GuestReady', status: 'true', reason: 'GuestReported' }]);
    await harness.act(id, 'force-stop');
    expect(await harness.until(id, ({ state }) => state === 'stopped')).toMatchObject({ conditions: [] });
  });

  it('is paused with the reason when the guest that it started met a fault, and can be force-stopped', async () => {
    harness.host.interfere = (command, host) =>
      command.kind === 'start'
        ? {
            ...(host.fail(command) as Extract<CommandReply, { outcome: 'failed' }>),
            code: 'guest_panicked',
            detail: GUEST_FAULTS.guest_panicked,
            fact: { vmId: command.vmId, power: 'paused', incarnation: 1, reason: 'guest_panicked' },
          }
        : undefined;
    const { id } = await harness.create('panics');
    const vm = await harness.until(id, ({ task }) => task === null);
    expect(vm).toMatchObject({
      state: 'paused',
      stop_reason: null,
      last_error: { code: 'guest_panicked', detail: GUEST_FAULTS.guest_panicked },
      conditions: [{ type: 'GuestFault', reason: 'guest_panicked' }],
    });
    await harness.act(id, 'force-stop');
    expect(await harness.until(id, ({ state }) => state === 'stopped')).toMatchObject({ conditions: [] });
  });

  it('is stopped when the disk of its host is too full to start it: nothing was started', async () => {
    harness.host.interfere = (command, host) =>
      command.kind === 'start'
        ? {
            ...(host.fail(command) as Extract<CommandReply, { outcome: 'failed' }>),
            code: 'no_space',
            fact: { vmId: command.vmId, power: 'stopped', incarnation: 0, reason: null },
          }
        : undefined;
    const { id } = await harness.create('no-space-to-start');
    expect(await harness.until(id, ({ task }) => task === null)).toMatchObject({
      state: 'stopped',
      stop_reason: 'start_failed',
      last_error: { code: 'no_space' },
      conditions: [],
    });
  });

  it('stays deleting, with the reason and its quota, while its host fails to delete it', async () => {
    const { id } = await harness.running('cannot-end');
    const before = await harness.allocated();
    harness.host.interfere = (command, host) =>
      command.kind === 'delete'
        ? {
            ...(host.fail(command, true) as Extract<CommandReply, { outcome: 'failed' }>),
            code: 'no_space',
            detail: 'the host has no disk space left',
          }
        : undefined;
    await harness.act(id, 'delete');
    await harness.until(id, ({ last_error }) => last_error?.code === 'no_space');
    for (let late = 0; late < 3; late++) {
      const { length } = harness.host.of(id);
      await expire(id);
      await harness.until(id, () => harness.host.of(id).length > length);
    }
    expect(await harness.row(id)).toMatchObject({
      state: 'deleting',
      quota_held: true,
      last_error: { code: 'no_space', detail: 'the host has no disk space left' },
    });
    expect(await harness.allocated()).toEqual(before);
    expect(await harness.one('SELECT count(*)::int AS n FROM orchestrator.cleanups')).toEqual({ n: 0 });

    harness.host.interfere = () => undefined;
    await expire(id);
    await harness.until(id, ({ state }) => state === 'deleted');
    expect(await harness.allocated()).toEqual({ hosts: before.hosts - 1, quota: before.quota - 1 });
  });

  it('is deleted with a clean-up when the host that refused becomes unreachable past the deadline', async () => {
    const { id } = await harness.running('refused-then-silent');
    harness.host.interfere = (command, host) =>
      command.kind === 'delete' ? host.fail(command, true) : undefined;
    await harness.act(id, 'delete');
    await harness.until(id, ({ last_error }) => last_error !== null);
    harness.host.interfere = (command) => (command.kind === 'delete' ? 'silence' : undefined);
    await expire(id);
    await harness.until(id, () => harness.host.of(id).length > 2);
    const overdue = setInterval(() => void expire(id), 500);
    await harness.until(id, ({ state }) => state === 'deleted');
    clearInterval(overdue);
    expect(await harness.one('SELECT count(*)::int AS n FROM orchestrator.cleanups')).toEqual({ n: 1 });
  });
});
