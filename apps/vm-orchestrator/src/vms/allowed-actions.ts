import { allowedActions, type VmAction } from '@novacron/vm-lifecycle/actions';
import type { VmState } from '@novacron/vm-lifecycle/states';
import { operationFor } from '../operations/registry.js';
import type { JobKind } from './row.js';

/** What may be asked of a VM in this state: what the gates accept and is built. */
export function offeredActions(state: VmState, task: JobKind | null, placed: boolean): VmAction[] {
  return allowedActions({ state, task, placed }).filter((action) => operationFor(action) !== undefined);
}
