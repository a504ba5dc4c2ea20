import { describe, expect, it } from '@jest/globals';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { BLOCKED_NAMED } from '@novacron/contracts/infrastructure';
import { VM_STATES } from '@novacron/vm-lifecycle/states';
import fc from 'fast-check';
import { planDrain, type DrainedVm } from './drain-plan.js';

const AT_ONCE = 10;
const NOW = new Date('2026-01-01T00:10:00Z');
const failed = (agoSeconds: number) => ({
  code: 'driver_error',
  detail: 'x'.repeat(300),
  at: new Date(NOW.getTime() - agoSeconds * 1_000).toISOString(),
});

const vm = fc
  .record({
    state: fc.constantFrom(...VM_STATES),
    task: fc.constantFrom(null, null, { kind: 'cold-migrate' }, { kind: 'stop' }),
    last_error: fc.constantFrom(null, null, failed(1), failed(3_600)),
    rebuildable: fc.boolean(),
    image: fc.constant('ubuntu-22.04'),
  })
  .map((about) => ({
    ...about,
    id: newId<VmId>(),
    tenant_id: newId<TenantId>(),
    name: 'drained',
  })) as unknown as fc.Arbitrary<DrainedVm>;
const vms = fc.array(vm, { maxLength: 60 });
const noCapacity = fc.constantFrom(null, 'x'.repeat(1_000));

describe('the plan of a drain', () => {
  it('begins no VM with a live job, and at most ten migrations at a time', () => {
    fc.assert(
      fc.property(vms, noCapacity, (of, full) => {
        const { begin } = planDrain(of, () => full, NOW);
        expect(begin.every(({ task }) => task === null)).toBe(true);
        const underWay = of.filter(({ task }) => task?.kind === 'cold-migrate').length;
        expect(begin.length).toBeLessThanOrEqual(Math.max(0, AT_ONCE - underWay));
      }),
    );
  });

  it('stops every guest that runs, and moves a VM that is off only where nothing is lost', () => {
    fc.assert(
      fc.property(vms, noCapacity, (of, full) => {
        for (const { state, rebuildable } of planDrain(of, () => full, NOW).begin) {
          if (state === 'stopped') expect([rebuildable, full]).toEqual([true, null]);
          else expect(['running', 'paused']).toContain(state);
        }
      }),
    );
  });

  it('skips a VM for a minute after its job has failed, and names the failure', () => {
    const [one] = fc.sample(vm, 1) as [DrainedVm];
    const damaged = { ...one, state: 'running' as const, task: null, last_error: failed(59) };
    const { begin, blocked } = planDrain([damaged], () => null, NOW);
    expect(begin).toEqual([]);
    expect(blocked).toMatchObject([{ vmId: damaged.id, reason: expect.stringContaining('xxx') }]);
    expect(planDrain([damaged], () => null, new Date(NOW.getTime() + 1_000)).begin).toEqual([damaged]);
  });

  it('looks for capacity for few of many VMs, once it begins and names as many as it can', () => {
    const [one] = fc.sample(vm, 1) as [DrainedVm];
    const off = { ...one, state: 'stopped' as const, task: null, last_error: null, rebuildable: true };
    let asked = 0;
    const noCapacity = () => (asked++ % 2 === 0 ? null : 'no host has capacity');
    planDrain(Array<DrainedVm>(1_000).fill(off), noCapacity, NOW);
    expect(asked).toBeLessThanOrEqual(2 * BLOCKED_NAMED + AT_ONCE);
  });

  it('names the VMs that it leaves, as many as an answer holds, each with a reason that fits', () => {
    fc.assert(
      fc.property(vms, noCapacity, (of, full) => {
        const { blocked } = planDrain(of, () => full, NOW);
        const idle = of.filter(({ task }) => task === null);
        const left = idle.filter(
          ({ state, rebuildable, last_error }) =>
            last_error?.at === failed(1).at ||
            (!['running', 'paused'].includes(state) &&
              (state !== 'stopped' || !rebuildable || full !== null)),
        );
        expect(blocked).toHaveLength(Math.min(left.length, BLOCKED_NAMED));
        expect(blocked.every(({ reason }) => reason.length > 0 && reason.length <= 300)).toBe(true);
      }),
    );
  });
});
