import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CommandReply } from '@novacron/contracts/agents';
import { ConsoleLog } from '@novacron/contracts/vms';
import { until } from '@novacron/testkit/wait';
import { ConsoleLogs } from '../src/hosts/console-logs.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

type Done = Extract<CommandReply, { outcome: 'done' }>;

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start({ hosts: 2 });
});
afterAll(() => harness.stop());

describe('a VM', () => {
  it('goes from create to running, with its placement explained and its steps in the job', async () => {
    const vm = await harness.create('web-1', { tags: { tier: 'web' } });
    expect(vm).toMatchObject({
      state: 'pending',
      desiredState: 'running',
      version: 1,
      task: { kind: 'create', step: 'place' },
    });

    const row = await harness.until(vm.id, (v) => v.state === 'running');
    expect(row).toMatchObject({ task: null, incarnation: 1, observed_generation: 1, quota_held: true });
    const host = harness.hosts.find((h) => h.id === row.host_id);
    expect(host?.of(vm.id)).toEqual(['create', 'start']);
    const job = await harness.one<{ status: string; history: { step: string; outcome: string }[] }>(
      'SELECT status, history FROM orchestrator.jobs WHERE vm_id = $1',
      [vm.id],
    );
    expect(job.status).toBe('succeeded');
    expect(job.history.map((h) => [h.step, h.outcome])).toEqual([
      ['place', 'next'],
      ['provision', 'next'],
      ['start', 'done'],
    ]);
    const placement = await harness.one<{ explanation: { hostId: string; candidates: number } }>(
      'SELECT explanation FROM orchestrator.placements WHERE vm_id = $1',
      [vm.id],
    );
    expect(placement.explanation).toMatchObject({ hostId: row.host_id, candidates: 2 });
  });

  it('ends in stopped when it is created without autostart', async () => {
    const vm = await harness.create('cold-1', { autostart: false });
    const row = await harness.until(vm.id, (v) => v.task === null);
    expect(row).toMatchObject({ state: 'stopped', stop_reason: 'not_started' });
  });

  it('stops, starts, pauses, resumes, reboots and resets', async () => {
    const { id } = await harness.running('round-1');
    for (const [action, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['reboot', 'running'],
      ['reset', 'running'],
      ['stop', 'stopped'],
      ['start', 'running'],
      ['force-stop', 'stopped'],
    ] as const) {
      const { body } = await harness.act(id, action);
      expect(body.job).toMatchObject({ kind: action, vmId: id });
      const row = await harness.until(id, (v) => v.task === null);
      expect([action, row.state]).toEqual([action, state]);
    }
  });

  it('is forced off when the guest does not react to the power button', async () => {
    const { id, host_id } = await harness.running('deaf-1');
    const host = harness.hosts.find((h) => h.id === host_id);
    if (host) host.obeysShutdown = false;
    await harness.act(id, 'stop', 1);
    const row = await harness.until(id, (v) => v.state === 'stopped');
    if (host) host.obeysShutdown = true;
    expect(row.stop_reason).toBe('user');
    expect(host?.of(id)).toContain('force-stop');
  });

  it('shows as much of a console full of control characters as fits one message', async () => {
    const { id } = await harness.running('noisy-1');
    for (const host of harness.hosts) {
      host.interfere = (command) =>
        command.kind === 'console-log'
          ? { ...(host.obey(command) as Done), text: '\u0001'.repeat(160_000) }
          : undefined;
    }
    const { body } = await harness.get(ConsoleLogs).read(harness.meta(), { id, maxBytes: 262_144 });
    for (const host of harness.hosts) host.interfere = () => undefined;
    expect(ConsoleLog.parse(body)).toMatchObject({ vmId: id, truncated: true });
    expect(body.text.length).toBeGreaterThan(130_000);
  });

  it('releases name, quota and capacity when it is deleted', async () => {
    const before = await harness.allocated();
    const { id } = await harness.running('gone-1');
    await harness.act(id, 'delete');
    const row = await harness.until(id, (v) => v.state === 'deleted');
    expect(row).toMatchObject({ host_id: null, quota_held: false, task: null });
    expect(await harness.allocated()).toEqual(before);
    await expect(harness.create('gone-1')).resolves.toMatchObject({ state: 'pending' });
  });

  it('has an event with a dense seq for every change, in the order of versions', async () => {
    const { id } = await harness.running('told-1');
    const reached = await harness.until(id, (v) => v.state === 'running');
    const events = async () =>
      (
        await harness.admin.query<{ version: string; type: string }>(
          `SELECT version, type FROM orchestrator.outbox WHERE resource_id = $1 ORDER BY seq`,
          [id],
        )
      ).rows;
    await until(async () => (await events()).length >= reached.version, 45_000);
    const rows = await events();
    expect(rows.map((r) => Number(r.version))).toEqual(
      Array.from({ length: reached.version }, (_, i) => i + 1),
    );
    expect(rows[0]?.type).toBe('vm.created');
  });
});
