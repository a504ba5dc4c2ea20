import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findProgram } from '@novacron/local-stack/servers/programs';
import { allProcesses } from '@novacron/local-stack/supervisor/leftovers';
import { note } from '@novacron/testkit/note';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import { Api, type VmBody } from './support/api.js';
import { replaced, signal, wholeAgain } from './support/health.js';

const qemu = findProgram('qemu-system-x86_64');
if (!qemu) note('qemu-system-x86_64 is missing: skipping real guests');

let stack: TestStack;
let api: Api;
let vm: VmBody;

/** QEMU processes whose command line contains the VM's id. */
const guestPids = (): number[] =>
  allProcesses()
    .filter(({ args }) => /qemu-system/.test(args[0] ?? '') && args.join(' ').includes(vm.id))
    .map(({ pid }) => pid);

const consoleLog = async () => (await api.get<never>(`/api/v1/vms/${vm.id}/console/log`)).text;

const latest = async () => {
  const { body } = await api.get<{ values: Record<string, { value: number; timestamp: number }> }>(
    `/api/v1/vms/${vm.id}/metrics/latest`,
  );
  return body.values['cpu_usage'];
};

(qemu ? describe : describe.skip)('a VM in zone local with image tiny-linux', () => {
  beforeAll(async () => {
    stack = await useTestStack({ qemu: true, simHosts: 1, replica: false });
    api = new Api(stack.url, stack.token);
    const config = { cpu: 1, memory: 128, disk: 1, image: 'tiny-linux' };
    const created = await api.create({ name: 'real-1', zone: 'local', config });
    expect(created).toMatchObject({ status: 201 });
    vm = created.body;
  }, 180_000);

  afterAll(() => stack?.remove(), 60_000);

  it('boots as one process, and its console shows NOVACRON-GUEST-UP', async () => {
    expect(await api.wait(vm.id, 'running', 60)).toMatchObject({
      status: 200,
      body: { state: 'running', zone: 'local' },
    });
    expect(guestPids()).toHaveLength(1);
    await readUntil(consoleLog, (text) => text.includes('NOVACRON-GUEST-UP'), 60_000);
  });

  it('is ready when its guest has reported that it is up', async () => {
    expect(await api.wait(vm.id, 'ready', 60)).toMatchObject({
      status: 200,
      body: { conditions: [{ type: 'GuestReady', status: 'true' }] },
    });
  });

  it('is refused with 422 when it has user data or SSH keys, which no host of the zone supports', async () => {
    const config = { cpu: 1, memory: 128, disk: 1, image: 'tiny-linux' };
    const spec = { name: 'tiny-cloud', zone: 'local', config };
    for (const given of [{ userData: '#cloud-config' }, { sshKeys: ['ssh-ed25519 AAAA me'] }]) {
      expect(await api.create({ ...spec, ...given })).toMatchObject({
        status: 422,
        body: { code: 'capability_unsupported' },
      });
    }
  });

  it('is refused with 422 when its image cannot run in the zone', async () => {
    const refused = await api.create({
      name: 'real-2',
      zone: 'local',
      config: { cpu: 1, memory: 128, disk: 1, image: 'ubuntu-22.04' },
    });
    expect(refused).toMatchObject({ status: 422, body: { code: 'unknown_image' } });
  });

  it('has its CPU metric in the API within 30 s', async () => {
    const since = Date.now();
    const { value, timestamp } = (await readUntil(latest, (found) => found !== undefined, 60_000)) ?? {
      value: -1,
      timestamp: 0,
    };
    note(`cpu_usage arrived ${((Date.now() - since) / 1000).toFixed(1)} s after the guest was up`);
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThanOrEqual(100);
    expect(Math.abs(Date.now() - timestamp)).toBeLessThan(60_000);
    const from = Date.now() - 600_000;
    const range = await api.get<{ series: { values: (number | null)[] }[] }>(
      `/api/v1/vms/${vm.id}/metrics?metric=cpu_usage&from=${from}&step=10`,
    );
    expect(range.body.series[0]?.values.some((point) => point !== null)).toBe(true);
  });

  it('survives a kill of its agent, which finds and controls it afterwards', async () => {
    const before = guestPids();
    const pid = signal(stack, 'host-agent-local', 'SIGKILL');
    await replaced(stack, 'host-agent-local', pid);
    await wholeAgain(stack);
    expect(guestPids()).toEqual(before);
    const newer = Date.now();
    await readUntil(latest, (found) => (found?.timestamp ?? 0) > newer, 60_000);
    expect((await api.vm(vm.id)).body).toMatchObject({ state: 'running', incarnation: 1 });
    expect((await api.act(vm.id, 'pause')).status).toBe(202);
    expect((await api.wait(vm.id, 'paused')).status).toBe(200);
    expect((await api.act(vm.id, 'resume')).status).toBe(202);
    expect((await api.wait(vm.id, 'running')).status).toBe(200);
    expect(guestPids()).toEqual(before);
  });

  it('leaves no process when stopped, restarts with its disk, and leaves no process when deleted', async () => {
    expect((await api.act(vm.id, 'stop', { graceSeconds: 5 })).status).toBe(202);
    expect((await api.wait(vm.id, 'stopped')).status).toBe(200);
    expect(guestPids()).toEqual([]);
    expect((await api.act(vm.id, 'start')).status).toBe(202);
    expect(await api.wait(vm.id, 'running')).toMatchObject({ status: 200, body: { incarnation: 2 } });
    expect(guestPids()).toHaveLength(1);
    expect((await api.remove(vm.id)).status).toBe(202);
    await readUntil(
      () => api.vm(vm.id),
      ({ status }) => status === 404,
    );
    expect(guestPids()).toEqual([]);
  });
});
