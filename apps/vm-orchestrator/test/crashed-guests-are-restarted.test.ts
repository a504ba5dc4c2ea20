import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { VmId } from '@novacron/contracts/ids';
import type { RestartPolicy } from '@novacron/contracts/vms';
import type { VmRow } from '../src/vms/row.js';
import { Restarts } from '../src/restarts/restarts.js';
import { VmPatcher } from '../src/admission/patch.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
  await harness.admin.query(
    `INSERT INTO orchestrator.inventories (host_id, next_at) VALUES ($1, now() + interval '1 day')`,
    [harness.host.id],
  );
});
afterAll(() => harness.stop());

const policy = (mode: RestartPolicy['mode'], maxAttempts = 5): RestartPolicy => ({
  mode,
  maxAttempts,
  backoff: 1,
});

async function running(name: string, restartPolicy?: RestartPolicy): Promise<VmId> {
  const { id } = await harness.create(name, restartPolicy ? { restartPolicy } : {});
  await harness.until(id, (vm) => vm.state === 'running');
  return id;
}

let seq = 10_000;
/** The guest ends by itself, and its host reports that. */
async function ends(id: VmId, reason: string): Promise<void> {
  harness.host.power.set(id, 'stopped');
  const fact = { vmId: id, power: 'stopped', incarnation: 1, reason };
  await harness.host.send('report', { epoch: 1, seq: ++seq, facts: [fact] });
}

const starts = (id: VmId) => harness.host.of(id).filter((kind) => kind === 'start').length;
const started = (id: VmId, times: number) =>
  harness.until(id, (vm) => vm.state === 'running' && vm.task === null && starts(id) === times);
/** Runs several rounds of the restarts, which must not change the VM. */
async function looks(): Promise<void> {
  for (let i = 0; i < 3; i++) await harness.get(Restarts).tick();
}
const conditionOf = ({ conditions }: VmRow) => conditions.find(({ type }) => type === 'CrashLoop');

describe('a guest that crashed', () => {
  it.each(['on-failure', 'always'] as const)('is started again with the policy %s', async (mode) => {
    const id = await running(`crashed-${mode}`, policy(mode));
    const { generation } = await harness.row(id);
    await ends(id, 'crashed');
    const vm = await started(id, 2);
    expect(vm).toMatchObject({ desired_state: 'running', stop_reason: null, generation, restarts: 1 });
    expect(conditionOf(vm)).toBeUndefined();
  });

  it('stays off without a policy', async () => {
    const id = await running('crashed-never');
    await ends(id, 'crashed');
    await looks();
    expect(await harness.row(id)).toMatchObject({
      state: 'stopped',
      stop_reason: 'crashed',
      restart_at: null,
    });
  });

  it('stays off after its last attempt with the condition CrashLoop, until its user starts it', async () => {
    const id = await running('loops-1', policy('on-failure', 2));
    for (const attempt of [1, 2]) {
      await ends(id, 'crashed');
      await started(id, attempt + 1);
    }
    expect(conditionOf(await harness.row(id))).toMatchObject({ status: 'true', reason: 'BackOff' });
    await ends(id, 'crashed');
    const vm = await harness.until(id, (v) => conditionOf(v)?.reason === 'AttemptsExhausted');
    await looks();
    expect((await harness.row(id)).version).toBe(vm.version);
    expect(starts(id)).toBe(3);

    await harness.act(id, 'start');
    expect(await started(id, 4)).toMatchObject({ restarts: null, conditions: [] });
  });

  it('is started again when only its start fails, and counts as an attempt', async () => {
    const id = await running('fails-once', policy('on-failure'));
    let failures = 1;
    harness.host.interfere = (command, host) =>
      command.vmId === id && command.kind === 'start' && failures-- > 0 ? host.fail(command) : undefined;
    await ends(id, 'crashed');
    expect(await started(id, 3)).toMatchObject({ restarts: 2 });
    harness.host.interfere = () => undefined;
  });
});

describe('a guest that powered itself off', () => {
  it('stays off with the policy on-failure, and is started again with always', async () => {
    const off = await running('off-on-failure', policy('on-failure'));
    const on = await running('off-always', policy('always'));
    await ends(off, 'guest_shutdown');
    await ends(on, 'guest_shutdown');
    await started(on, 2);
    expect(await harness.row(off)).toMatchObject({
      state: 'stopped',
      stop_reason: 'guest_shutdown',
      restart_at: null,
    });
  });
});

describe('a user’s stop', () => {
  it.each(['stop', 'force-stop'] as const)('(%s) is not undone by the policy always', async (action) => {
    const id = await running(`kept-off-${action}`, policy('always'));
    await harness.act(id, action);
    await harness.until(id, (vm) => vm.state === 'stopped' && vm.task === null);
    await looks();
    expect(await harness.row(id)).toMatchObject({ state: 'stopped', stop_reason: 'user', restart_at: null });
  });

  it('ends the back-off of a guest that crashed', async () => {
    const id = await running('stopped-meanwhile', { mode: 'always', maxAttempts: 5, backoff: 3_600 });
    await ends(id, 'crashed');
    await harness.until(id, (vm) => vm.restart_at !== null);
    const { body } = await harness.act(id, 'stop');
    expect(body.job).toBeNull();
    await harness.admin.query(
      `UPDATE orchestrator.vms SET restart_at = now() WHERE id = $1 AND restart_at IS NOT NULL`,
      [id],
    );
    await looks();
    expect(await harness.row(id)).toMatchObject({
      state: 'stopped',
      desired_state: 'stopped',
      restart_at: null,
    });
  });
});

describe('a restart policy', () => {
  it('is shown, `never` where none was given, and changed by PATCH', async () => {
    const { id, restartPolicy } = await harness.create('patched-1');
    expect(restartPolicy).toEqual({ mode: 'never', maxAttempts: 5, backoff: 10 });
    await harness.until(id, (vm) => vm.state === 'running');
    const patch = { restartPolicy: policy('on-failure') };
    const { body } = await harness.get(VmPatcher).patch(harness.meta(), { id, patch });
    expect(body.restartPolicy).toEqual(patch.restartPolicy);
    await ends(id, 'crashed');
    await started(id, 2);
  });
});
