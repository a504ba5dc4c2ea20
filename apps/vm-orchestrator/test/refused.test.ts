import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import type { BodyOf, RequestMeta } from '@novacron/contracts/envelope';
import type { Vm, vmsRpc } from '@novacron/contracts/vms';
import { VmActor } from '../src/admission/act.js';
import { VmCreator } from '../src/admission/create.js';
import { VmPatcher } from '../src/admission/patch.js';
import { OrchestratorHarness, spec } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start({
    env: { NOVACRON_QUOTA_VMS: '60', NOVACRON_QUOTA_CPU: '100', NOVACRON_JOB_SLOTS: '16' },
  });
});
afterAll(() => harness.stop());

const keyed = (key: string, bodyHash = 'h1'): Partial<RequestMeta> => ({
  idempotency: { key, route: 'POST /vms', bodyHash },
});

describe('a create is refused', () => {
  it('when the name is taken, also within one batch', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 8 }, () => harness.create('same-name')));
    expect(answers.filter((a) => a.status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'name_taken' });
    }
  });

  it('when it exceeds the quota, with what is left, while smaller ones beside it are admitted', async () => {
    const tenant = { tenantId: newId<TenantId>() };
    const big = { config: { cpu: 101, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };
    const [refused, admitted] = await Promise.allSettled([
      harness.create('too-big', big, tenant),
      harness.create('small', {}, tenant),
    ]);
    expect(admitted.status).toBe('fulfilled');
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'quota_exceeded' } });
    expect(String((refused as PromiseRejectedResult).reason)).toContain('101 vCPU asked');
  });

  it('when zone or image are unknown, with the known names', async () => {
    await expect(harness.create('z', { zone: 'moon' })).rejects.toMatchObject({
      code: 'unknown_zone',
      detail: expect.stringContaining('sim'),
    });
    const image = { config: { cpu: 1, memory: 512, disk: 1, image: 'beos' } };
    await expect(harness.create('i', image)).rejects.toMatchObject({
      code: 'unknown_image',
      detail: expect.stringContaining('ubuntu-22.04'),
    });
  });
});

describe('user data and SSH keys', () => {
  it.each([
    ['user data', { userData: '#cloud-config' }],
    ['SSH keys', { sshKeys: ['ssh-ed25519 AAAA me'] }],
  ])('are refused before anything is written where no host can apply them (%s)', async (name, given) => {
    await expect(harness.create(`cloud-${name.split(' ')[0]?.toLowerCase()}`, given)).rejects.toMatchObject({
      code: 'capability_unsupported',
      detail: 'No host of zone sim that runs ubuntu-22.04 can do userData and sshKeys',
    });
    const { n } = await harness.one<{ n: number }>(
      `SELECT count(*)::int AS n FROM orchestrator.vms WHERE name LIKE 'cloud-%'`,
    );
    expect(n).toBe(0);
  });

  it('are placed on the one host that can apply them', async () => {
    const able = await harness.addHost(undefined, ['user-data']);
    for (let i = 0; i < 5; i++) {
      const { id } = await harness.create(`with-keys-${i}`, { sshKeys: ['ssh-ed25519 AAAA me'] });
      const vm = await harness.until(id, ({ state }) => state === 'running');
      expect(vm.host_id).toBe(able.id);
    }
    const create = able.commands.find(({ kind }) => kind === 'create');
    expect(create).toMatchObject({ spec: { sshKeys: ['ssh-ed25519 AAAA me'], userData: null } });
    // The other tests interfere with the first host.
    await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = false WHERE id = $1', [able.id]);
    await harness.snapshot.refresh();
  });
});

describe('an idempotency key', () => {
  it('answers a repeated create with the first answer, and makes one VM', async () => {
    const first = await harness.creator.create(harness.meta(keyed('k1')), spec('idem-1'));
    const again = await harness.creator.create(harness.meta(keyed('k1')), spec('idem-1'));
    expect(again).toMatchObject({ replayed: true, body: { id: first.body.id } });
    expect(again.body).toEqual(first.body);
  });

  it('refuses another body under it', async () => {
    await harness.create('idem-2', {}, keyed('k2'));
    await expect(harness.create('idem-2b', {}, keyed('k2', 'h2'))).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });

  it('admits one of many concurrent requests: the others are replays or refused as in progress', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, () => harness.create('idem-3', {}, keyed('k3'))),
    );
    const ids = new Set(answers.flatMap((a) => (a.status === 'fulfilled' ? [a.value.id] : [])));
    expect(ids.size).toBe(1);
    for (const answer of answers) {
      if (answer.status === 'rejected')
        expect(answer.reason).toMatchObject({ code: 'idempotency_in_progress' });
    }
  });

  it('is not used up by a refusal', async () => {
    await harness.create('idem-4');
    await expect(harness.create('idem-4', {}, keyed('k4'))).rejects.toMatchObject({ code: 'name_taken' });
    await expect(harness.create('idem-4b', {}, keyed('k4'))).resolves.toMatchObject({ name: 'idem-4b' });
  });

  it('answers a repeated action with its job', async () => {
    const { id } = await harness.running('idem-5');
    const ask = () =>
      harness.actor.act(harness.meta(keyed('k5')), { id, action: 'stop', options: { graceSeconds: 1 } });
    const first = await ask();
    await harness.until(id, (vm) => vm.state === 'stopped');
    const again = await ask();
    expect(again).toMatchObject({ replayed: true, body: { job: { id: first.body.job?.id } } });
  });
});

describe('an action', () => {
  it('answers without a job when the VM is in its final state already', async () => {
    const { id } = await harness.running('act-1');
    expect((await harness.act(id, 'start')).body.job).toBeNull();
  });

  it('answers with the live job when it is in flight, and another action is refused as busy', async () => {
    harness.host.interfere = (command) => (command.kind === 'pause' ? 'silence' : undefined);
    const { id } = await harness.running('act-2');
    const first = await harness.act(id, 'pause');
    const again = await harness.act(id, 'pause');
    expect(again.body.job?.id).toBe(first.body.job?.id);
    await expect(harness.act(id, 'reboot')).rejects.toMatchObject({ code: 'vm_busy' });
    harness.host.interfere = () => undefined;
    await harness.act(id, 'delete');
    await harness.until(id, (vm) => vm.state === 'deleted');
  });

  it('is refused when the driver does not support it', async () => {
    const { id } = await harness.running('act-3');
    for (const action of ['suspend', 'resize', 'migrate', 'rebuild'] as const) {
      await expect(harness.act(id, action)).rejects.toMatchObject({
        code: 'capability_unsupported',
        detail: `No driver can ${action} a VM yet`,
      });
    }
    await harness.admin.query(`UPDATE orchestrator.hosts SET capabilities = '{reboot}'`);
    await harness.snapshot.refresh();
    await expect(harness.act(id, 'pause')).rejects.toMatchObject({
      code: 'capability_unsupported',
      detail: expect.stringContaining("The driver of the VM's host"),
    });
    await harness.admin.query(
      `UPDATE orchestrator.hosts SET capabilities = '{pause,reboot,reset,console-log}'`,
    );
    await harness.snapshot.refresh();
  });

  it("finds nothing on another tenant's VM", async () => {
    const { id } = await harness.running('act-4');
    const foreign = harness.meta({ tenantId: newId<TenantId>() });
    await expect(
      harness.actor.act(foreign, { id, action: 'stop', options: { graceSeconds: 1 } }),
    ).rejects.toMatchObject({ code: 'not_found' });
  });

  it('changes nothing when it is for another version', async () => {
    const { id, version } = await harness.running('act-5');
    await expect(
      harness.actor.act(harness.meta(), {
        id,
        action: 'stop',
        options: { graceSeconds: 1 },
        ifMatch: version - 1,
      }),
    ).rejects.toMatchObject({ code: 'precondition_failed' });
    expect((await harness.row(id)).state).toBe('running');
    const several = { id, action: 'stop', options: { graceSeconds: 1 } } as const;
    await expect(
      harness.actor.act(harness.meta(), {
        ...several,
        ifMatch: [Number(version) + 1, Number(version) - 1],
      }),
    ).rejects.toMatchObject({ code: 'precondition_failed' });
    const taken = await harness.actor.act(harness.meta(), {
      ...several,
      ifMatch: [Number(version) - 1, Number(version)],
    });
    expect(taken.body.job?.kind).toBe('stop');
  });
});

describe('a change of name or tags', () => {
  const patch = (id: Vm['id'], change: BodyOf<typeof vmsRpc.patch>['patch']) =>
    harness.get(VmPatcher).patch(harness.meta(), { id, patch: change });

  it('by a merge patch keeps other tags, and removes by null', async () => {
    const { id } = await harness.create('patch-1', { tags: { a: '1', b: '2' } });
    const { body } = await patch(id, { tagChanges: { b: null, c: '3', absent: null } });
    expect(body.tags).toEqual({ a: '1', c: '3' });
  });

  it('is refused when the tags would be too many together', async () => {
    const many = (from: number, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${from + i}`, 'x']));
    const { id } = await harness.create('patch-2', { tags: many(0, 40) });
    await expect(patch(id, { tagChanges: many(40, 11) })).rejects.toMatchObject({
      code: 'invalid_request',
      errors: [{ path: '/tags' }],
    });
    expect(
      Object.keys((await patch(id, { tagChanges: { ...many(40, 11), t0: null } })).body.tags),
    ).toHaveLength(50);
  });

  it('is refused while the VM is being deleted', async () => {
    const { id } = await harness.running('patch-3');
    harness.host.interfere = (command) => (command.kind === 'delete' ? 'silence' : undefined);
    await harness.act(id, 'delete');
    await expect(patch(id, { tags: {} })).rejects.toMatchObject({ code: 'invalid_state' });
    harness.host.interfere = () => undefined;
  });
});

describe('a full queue', () => {
  it('refuses creates before anything is written, and admits deletes', async () => {
    harness.host.interfere = (command) => (command.kind === 'start' ? 'silence' : undefined);
    const tenant = { tenantId: newId<TenantId>() };
    const full = await OrchestratorHarness.serve(harness.servers, {
      NOVACRON_JOB_QUEUE: '3',
      NOVACRON_JOB_SLOTS: '2',
    });
    const creator = full.app.get(VmCreator, { strict: false });
    const actor = full.app.get(VmActor, { strict: false });
    const answers = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) => creator.create(harness.meta(tenant), spec(`full-${i}`))),
    );
    const made = answers.flatMap((a) => (a.status === 'fulfilled' ? [a.value.body] : []));
    expect(made.length).toBeLessThanOrEqual(3);
    for (const answer of answers) {
      if (answer.status === 'rejected')
        expect(answer.reason).toMatchObject({ code: 'overloaded', retryAfterMs: 1_000 });
    }
    const { n } = await harness.one<{ n: number }>(
      'SELECT count(*)::int AS n FROM orchestrator.vms WHERE tenant_id = $1',
      [tenant.tenantId],
    );
    expect(n).toBe(made.length);
    harness.host.interfere = () => undefined;
    for (const vm of made) {
      await actor.act(harness.meta(tenant), {
        id: vm.id,
        action: 'delete',
        options: { graceSeconds: 1 },
      });
    }
    for (const vm of made) await harness.until(vm.id, (row) => row.state === 'deleted');
    await full.stop();
  });
});
