import type { Condition } from '@novacron/contracts/common';
import { withCondition, withoutCondition } from '../vms/conditions.js';
import type { Fits } from '../placement/place.js';
import type { VmPatch } from '../vms/change.js';
import type { VmRow } from '../vms/row.js';

/** False while no host has capacity for a VM. A VM with a host does not have the condition. */
const CAPACITY_AVAILABLE = 'CapacityAvailable';

/** Shows why the VM has no host. An unchanged explanation does not make a new version of the VM. */
export function withoutCapacity(
  vm: Pick<VmRow, 'conditions'>,
  fits: Fits,
  summary: string,
  now: Date,
): VmPatch {
  const reason = fits === 'never' ? 'LargerThanAnyHost' : 'NoHostFits';
  const before = missingCapacity(vm);
  if (before?.reason === reason && before.message === summary) return {};
  const condition: Condition = {
    type: CAPACITY_AVAILABLE,
    status: 'false',
    reason,
    message: summary,
    lastTransitionAt: now.toISOString(),
  };
  return { conditions: withCondition(vm.conditions, condition) };
}

export function withCapacity(vm: Pick<VmRow, 'conditions'>): VmPatch {
  return missingCapacity(vm) ? { conditions: withoutCondition(vm.conditions, CAPACITY_AVAILABLE) } : {};
}

export function missingCapacity(vm: Pick<VmRow, 'conditions'>): Condition | undefined {
  return vm.conditions.find(({ type }) => type === CAPACITY_AVAILABLE);
}
