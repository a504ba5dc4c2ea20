import { describe, expect, it } from '@jest/globals';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { BLOCKED_NAMED } from '@novacron/contracts/infrastructure';
import { VM_STATES } from '@novacron/vm-lifecycle/states';
import fc from 'fast-check';
import { planDrain, type DrainedVm } from './drain-plan.js';

const AT_ONCE = 10;

const vm = fc
  .record({
    state: fc.constantFrom(...VM_STATES),
    task: fc.constantFrom(null, null, { kind: 'cold-migrate' }, { kind: 'stop' }),
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
const room = fc.constantFrom(null, 'x'.repeat(1_000));

describe('the plan of a drain', () => {
  it('begins nothing with a VM that is at work, and has ten on their way at most', () => {
    fc.assert(
      fc.property(vms, room, (of, full) => {
        const { begin } = planDrain(of, () => full);
        expect(begin.every(({ task }) => task === null)).toBe(true);
        const underWay = of.filter(({ task }) => task?.kind === 'cold-migrate').length;
        expect(begin.length).toBeLessThanOrEqual(Math.max(0, AT_ONCE - underWay));
      }),
    );
  });

  it('stops every guest that runs, and moves a VM that is off only where nothing is lost', () => {
    fc.assert(
      fc.property(vms, room, (of, full) => {
        for (const { state, rebuildable } of planDrain(of, () => full).begin) {
          if (state === 'stopped') expect([rebuildable, full]).toEqual([true, null]);
          else expect(['running', 'paused']).toContain(state);
        }
      }),
    );
  });

  it('names the VMs that it leaves, as many as an answer holds, each with a reason that fits', () => {
    fc.assert(
      fc.property(vms, room, (of, full) => {
        const { blocked } = planDrain(of, () => full);
        const idle = of.filter(({ task, state }) => task === null && !['running', 'paused'].includes(state));
        const left = idle.filter(
          ({ state, rebuildable }) => state !== 'stopped' || !rebuildable || full !== null,
        );
        expect(blocked).toHaveLength(Math.min(left.length, BLOCKED_NAMED));
        expect(blocked.every(({ reason }) => reason.length > 0 && reason.length <= 300)).toBe(true);
      }),
    );
  });
});
