import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { metricPartition } from '@novacron/contracts/metrics';
import { Directory, DirectoryUnavailable, type Located } from '../src/vms/directory.js';
import { newVm, MetricsHarness, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open();
});
afterAll(() => harness.close());

/** A directory with control over its clock and the orchestrator. */
function directory() {
  const hands = { now: Date.now(), away: false, asked: 0, known: [] as Located[] };
  const under = new Directory({
    db: harness.sys,
    now: () => hands.now,
    patienceMs: 10_000,
    locate: (ids) => {
      hands.asked++;
      if (hands.away) return Promise.reject(new Error('no responders'));
      return Promise.resolve(hands.known.filter(({ id }) => ids.includes(id)));
    },
  });
  return { under, hands };
}

const claim = (vm: TestVm, host: string | null = vm.hostId) => new Map([[vm.vmId, host]]);
const entry = (vm: TestVm) => ({
  vmId: vm.vmId,
  tenantId: vm.tenantId,
  hostId: vm.hostId,
  deletedAt: null,
  partition: metricPartition(vm.vmId),
});

describe('the directory, while the orchestrator is away', () => {
  it('knows the VMs of its table', async () => {
    const vm = await harness.place(newVm());
    const { under, hands } = directory();
    hands.away = true;
    expect((await under.lookup(claim(vm))).get(vm.vmId)).toEqual(entry(vm));
    expect(hands.asked).toBe(0);
  });

  it('lets points of an unknown VM wait for a bounded time', async () => {
    const vm = newVm();
    const { under, hands } = directory();
    hands.away = true;
    await expect(under.lookup(claim(vm))).rejects.toBeInstanceOf(DirectoryUnavailable);
    hands.now += 9_999;
    await expect(under.lookup(claim(vm))).rejects.toBeInstanceOf(DirectoryUnavailable);
    hands.now += 1;
    expect(await under.lookup(claim(vm))).toEqual(new Map());
  });

  it('accepts those points when the orchestrator is back', async () => {
    const vm = newVm();
    const { under, hands } = directory();
    hands.away = true;
    await expect(under.lookup(claim(vm))).rejects.toBeInstanceOf(DirectoryUnavailable);
    hands.away = false;
    hands.known = [{ id: vm.vmId, tenantId: vm.tenantId, hostId: vm.hostId, deleted: false }];
    expect((await under.lookup(claim(vm))).get(vm.vmId)).toEqual(entry(vm));
  });
});

describe('the directory asks the orchestrator', () => {
  it('once in two seconds about a VM that it does not know', async () => {
    const vm = newVm();
    const { under, hands } = directory();
    await under.lookup(claim(vm));
    await under.lookup(claim(vm));
    expect(hands.asked).toBe(1);
    hands.now += 2_001;
    await under.lookup(claim(vm));
    expect(hands.asked).toBe(2);
  });

  it('again when the entry of a host that lost a VM has expired', async () => {
    const vm = await harness.place(newVm());
    const { under, hands } = directory();
    await under.lookup(claim(vm));
    const moved = { ...vm, hostId: newVm().hostId };
    await harness.sys.primary.batch({}, [
      {
        statement: { text: 'UPDATE metrics.vms SET host_id = $1 WHERE vm_id = $2' },
        params: [moved.hostId, vm.vmId],
      },
    ]);
    hands.now += 5_001;
    hands.known = [{ id: vm.vmId, tenantId: vm.tenantId, hostId: moved.hostId, deleted: false }];
    expect((await under.lookup(claim(vm))).get(vm.vmId)).toEqual(entry(moved));
    expect(hands.asked).toBe(1);
  });

  it('about a thousand VMs at a time', async () => {
    const vms = Array.from({ length: 2_500 }, () => newVm());
    const { under, hands } = directory();
    await under.lookup(new Map(vms.map((vm) => [vm.vmId, vm.hostId])));
    expect(hands.asked).toBe(3);
  });
});
