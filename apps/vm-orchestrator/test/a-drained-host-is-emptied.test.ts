import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { HostId } from '@novacron/contracts/ids';
import { Host } from '@novacron/contracts/infrastructure';
import { readUntil, until } from '@novacron/testkit/wait';
import { Drainer } from '../src/drain/drainer.js';
import { Heartbeats } from '../src/hosts/heartbeats.js';
import { HostActions } from '../src/admission/host-actions.js';
import { HostDirectory } from '../src/hosts/host-directory.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';
import type { FakeHost } from './support/fake-host.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start({ hosts: 0 });
}, 120_000);
afterAll(() => harness?.stop());

const actions = () => harness.get(HostActions);
const host = async (id: HostId) =>
  Host.parse(
    (await harness.get(HostDirectory).host(harness.meta({ roles: ['platform_operator'] }), id)).body,
  );
const rebuildable = (is: boolean) =>
  harness.admin.query(`UPDATE orchestrator.images SET rebuildable = $1 WHERE name = 'ubuntu-22.04'`, [is]);

/** A host that is the only one while its VMs come to run. */
async function withVms(names: string[]): Promise<{ old: FakeHost; ids: Awaited<ReturnType<typeof ids>> }> {
  for (const other of harness.hosts) await schedulable(other.id, false);
  const old = await harness.addHost();
  return { old, ids: await ids(names) };
}
const ids = async (names: string[]) => {
  const found = [];
  for (const name of names) found.push((await harness.running(name)).id);
  return found;
};
async function schedulable(id: HostId, is: boolean): Promise<void> {
  await harness.admin.query('UPDATE orchestrator.hosts SET schedulable = $2 WHERE id = $1', [id, is]);
  await harness.snapshot.refresh();
}
/** The host once its drain fulfils the condition. */
function drained(id: HostId, wanted: (now: Host) => boolean): Promise<Host> {
  return readUntil(() => host(id), wanted, 60_000);
}

describe('a drain with mode stop', () => {
  it('stops VMs, makes them anew on another host, and starts those that ran', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['runs-1', 'runs-2', 'is-off']);
    const [first, second, off] = ids as [never, never, never];
    await harness.act(off, 'stop');
    await harness.until(off, (vm) => vm.state === 'stopped');
    const target = await harness.addHost();

    const { answer } = await actions().act(harness.meta(), old.id, 'drain', {
      mode: 'stop',
      graceSeconds: 1,
    });
    expect(answer).toMatchObject({ schedulable: false, drain: { mode: 'stop', total: 3, finishedAt: null } });
    const end = await drained(old.id, (now) => now.drain?.finishedAt !== null);
    expect(end).toMatchObject({ vmCount: 0, allocated: { cpu: 0, memory: 0, disk: 0 } });
    expect(end.drain).toMatchObject({ total: 3, left: 0, blocked: [] });

    for (const id of [first, second]) {
      const vm = await harness.until(id, (row) => row.task === null);
      expect(vm).toMatchObject({
        state: 'running',
        host_id: target.id,
        desired_state: 'running',
        last_error: null,
      });
      expect(old.of(id)).toEqual(expect.arrayContaining(['shutdown', 'delete']));
      expect(old.power.get(id)).toBe('absent');
      expect(target.of(id)).toEqual(['create', 'start']);
    }
    const stayedOff = await harness.until(off, (row) => row.task === null);
    expect(stayedOff).toMatchObject({ state: 'stopped', stop_reason: 'user', host_id: target.id });
    expect(target.of(off)).toEqual(['create']);
    expect(await harness.allocated()).toMatchObject({ hosts: 3, quota: 3 });
  });

  it('leaves a VM stopped when its disk exists on this host only, and names it', async () => {
    await rebuildable(false);
    const { old, ids } = await withVms(['has-a-disk']);
    const [id] = ids as [never];
    await harness.addHost();
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    const now = await drained(old.id, ({ drain }) => drain?.blocked.length === 1);
    expect(now.drain).toMatchObject({
      finishedAt: null,
      left: 1,
      blocked: [{ vmId: id, name: 'has-a-disk', reason: expect.stringContaining('not rebuildable') }],
    });
    expect(await harness.row(id)).toMatchObject({
      state: 'stopped',
      stop_reason: 'host_drained',
      host_id: old.id,
    });
    expect(old.of(id)).not.toContain('delete');
    await expect(actions().remove(old.id)).rejects.toMatchObject({ code: 'invalid_state' });

    await actions().act(harness.meta(), old.id, 'uncordon');
    expect(await host(old.id)).toMatchObject({ drain: null, schedulable: true });
    await harness.act(id, 'start');
    await harness.until(id, (vm) => vm.state === 'running');
  });

  it('moves a VM that never ran, whatever its image', async () => {
    await rebuildable(false);
    for (const other of harness.hosts) await schedulable(other.id, false);
    const old = await harness.addHost();
    const { id } = await harness.create('never-ran', { autostart: false });
    await harness.until(id, (vm) => vm.state === 'stopped');
    const target = await harness.addHost();
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    await drained(old.id, (now) => now.drain?.finishedAt !== null);
    expect(await harness.row(id)).toMatchObject({ state: 'stopped', host_id: target.id });
  });

  it('waits until another host has capacity for a VM, then moves it', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['waits']);
    const [id] = ids as [never];
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    const now = await drained(old.id, ({ drain }) => drain?.blocked.length === 1);
    expect(now.drain?.blocked[0]?.reason).toContain('schedulable refused');
    expect(await harness.row(id)).toMatchObject({
      state: 'stopped',
      stop_reason: 'host_drained',
      conditions: [{ type: 'CapacityAvailable', status: 'false' }],
    });
    const target = await harness.addHost();
    const vm = await harness.until(id, (row) => row.state === 'running');
    expect(vm).toMatchObject({ host_id: target.id, conditions: [], stop_reason: null });
    await drained(old.id, (host) => host.drain?.finishedAt !== null);
  });

  it('leaves a VM in error that could not be made on the other host, and a retry makes it', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['fails-there']);
    const [id] = ids as [never];
    const target = await harness.addHost();
    target.interfere = (command, host) => (command.kind === 'create' ? host.fail(command) : undefined);
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    const failed = await harness.until(id, (vm) => vm.state === 'error');
    expect(failed).toMatchObject({
      host_id: null,
      quota_held: false,
      last_error: { code: 'driver_error' },
    });
    target.interfere = () => undefined;
    await expect(harness.act(id, 'start')).rejects.toMatchObject({ code: 'invalid_state' });
    await harness.act(id, 'retry');
    expect(await harness.until(id, (vm) => vm.state === 'running')).toMatchObject({
      host_id: target.id,
      quota_held: true,
    });
  });

  it('continues after a force-stop before the new disk exists, and the VM can be started afterwards', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['forced-off']);
    const [id] = ids as [never];
    const target = await harness.addHost();
    let release = () => {};
    const released = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
    target.interfere = ({ kind }) => (kind === 'create' ? released : undefined);
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    await until(() => target.of(id).includes('create'));
    const { body } = await harness.act(id, 'force-stop');
    expect(body.job?.kind).toBe('cold-migrate');
    release();
    expect(await harness.until(id, (vm) => vm.task === null)).toMatchObject({
      state: 'stopped',
      desired_state: 'stopped',
      host_id: target.id,
      last_error: null,
    });
    expect(new Set(target.of(id))).toEqual(new Set(['create']));
    await harness.act(id, 'start');
    await harness.until(id, (vm) => vm.state === 'running');
  });

  it('leaves a VM stopped when its guest does not start on the other host, and a start repairs it', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['starts-later']);
    const [id] = ids as [never];
    const target = await harness.addHost();
    target.interfere = (command, host) => (command.kind === 'start' ? host.fail(command) : undefined);
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    expect(await harness.until(id, (vm) => vm.host_id === target.id && vm.task === null)).toMatchObject({
      state: 'stopped',
      stop_reason: 'start_failed',
      last_error: { code: 'driver_error' },
    });
    target.interfere = () => undefined;
    await harness.act(id, 'start');
    await harness.until(id, (vm) => vm.state === 'running');
  });

  it('forces a guest whose host cannot shut it down', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['has-no-button']);
    const [id] = ids as [never];
    const target = await harness.addHost();
    old.interfere = (command, host) => (command.kind === 'shutdown' ? host.fail(command) : undefined);
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 300 });
    const vm = await harness.until(id, (row) => row.state === 'running' && row.host_id === target.id);
    expect(vm).toMatchObject({ last_error: null });
    expect(old.of(id)).toEqual(expect.arrayContaining(['shutdown', 'force-stop']));
  });

  it('names a VM whose guest cannot be ended, and does not try again in every round', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['is-damaged']);
    const [id] = ids as [never];
    const target = await harness.addHost();
    old.interfere = (command, host) =>
      command.kind === 'shutdown' || command.kind === 'force-stop' ? host.fail(command) : undefined;
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    const now = await drained(old.id, ({ drain }) => drain?.blocked.length === 1);
    expect(now.drain?.blocked).toMatchObject([
      { vmId: id, reason: expect.stringContaining('ordered to fail') },
    ]);
    expect(await harness.row(id)).toMatchObject({ state: 'running', task: null, host_id: old.id });
    for (let look = 0; look < 3; look++) await harness.get(Drainer).tick();
    const { n } = await harness.one<{ n: number }>(
      `SELECT count(*)::int AS n FROM orchestrator.jobs WHERE vm_id = $1 AND kind = 'cold-migrate'`,
      [id],
    );
    expect(n).toBe(1);

    old.interfere = () => undefined;
    await harness.admin.query(
      `UPDATE orchestrator.vms SET last_error = jsonb_set(last_error, '{at}', '"2026-01-01T00:00:00.000Z"') WHERE id = $1`,
      [id],
    );
    await harness.until(id, (row) => row.state === 'running' && row.host_id === target.id);
  });

  it('applies facts of the new host, whose epoch may be lower', async () => {
    await rebuildable(true);
    const { old, ids } = await withVms(['new-facts']);
    const [id] = ids as [never];
    await harness.admin.query('UPDATE orchestrator.vms SET fact_epoch = 50 WHERE id = $1', [id]);
    await harness.addHost();
    await actions().act(harness.meta(), old.id, 'drain', { mode: 'stop', graceSeconds: 1 });
    const vm = await harness.until(id, (row) => row.state === 'running' && row.host_id !== old.id);
    expect(Number(vm.fact_epoch)).toBe(1);
  });
});

describe('a drain without a mode', () => {
  it('names the modes when the host has VMs, and cordons an empty host', async () => {
    await rebuildable(true);
    const { old } = await withVms(['stays']);
    await expect(actions().act(harness.meta(), old.id, 'drain')).rejects.toMatchObject({
      code: 'capability_unsupported',
      detail: expect.stringContaining('{"mode": "stop"}'),
    });
    await expect(
      actions().act(harness.meta(), old.id, 'cordon', { mode: 'stop', graceSeconds: 30 }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
    });
    const empty = await harness.addHost();
    expect((await actions().act(harness.meta(), empty.id, 'drain')).answer).toMatchObject({
      schedulable: false,
      drain: null,
    });
  });
});

describe('the removal of a host', () => {
  it('removes an empty host with an event, and does not stop the heartbeats of others', async () => {
    const empty = await harness.addHost();
    const other = await harness.addHost();
    const heartbeats = harness.get(Heartbeats);
    await heartbeats.receive(empty.id, 1);
    await heartbeats.receive(other.id, 1);
    await actions().remove(empty.id);
    await harness.admin.query(`UPDATE orchestrator.heartbeats SET at = now() - interval '1 day'`);
    await heartbeats.receive(other.id, 1);
    await heartbeats.flush();
    const { at } = await harness.one<{ at: Date }>(
      'SELECT at FROM orchestrator.heartbeats WHERE host_id = $1',
      [other.id],
    );
    expect(Date.now() - at.getTime()).toBeLessThan(3_600_000);
    await expect(host(empty.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(actions().remove(empty.id)).rejects.toMatchObject({ code: 'not_found' });
    const ends = () =>
      harness.one<{ n: number }>(
        `SELECT (SELECT count(*) FROM orchestrator.outbox WHERE resource_id = $1 AND type = 'host.deleted')::int
              + (SELECT count(*) FROM orchestrator.outbox_pending WHERE resource_id = $1 AND type = 'host.deleted')::int
           AS n`,
        [empty.id],
      );
    expect((await ends()).n).toBe(1);
    expect(harness.snapshot.host(empty.id)).toBeUndefined();
  });

  it('is permanent: the host cannot register again without an approval', async () => {
    const empty = await harness.addHost();
    await actions().remove(empty.id);
    const body = {
      name: 'comes-back',
      zone: 'sim',
      driver: 'scripted',
      agentVersion: '0',
      capabilities: [],
      images: [],
      capacity: { cpu: 1, memory: 1, disk: 1 },
      labels: {},
    };
    const reply = await empty.nc.request(`hosts.${empty.id}.register`, JSON.stringify(body), {
      timeout: 30_000,
    });
    expect(reply.json()).toMatchObject({ ok: false, code: 'forbidden' });
  });
});
