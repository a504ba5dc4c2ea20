import { ServiceError } from '@novacron/contracts/errors';
import type { ActionOptions } from '@novacron/contracts/vms';
import { ACTIONS, type Gate, type VmAction } from '@novacron/vm-lifecycle/actions';
import type { VmState } from '@novacron/vm-lifecycle/states';
import { jobArgs } from '../jobs/args.js';
import type { JobRow } from '../jobs/row.js';
import { create } from '../operations/create.js';
import { desiredBy, operationFor } from '../operations/registry.js';
import type { VmPatch } from '../vms/change.js';
import { newJob } from '../jobs/new-job.js';
import { fresh } from '../vms/restart.js';
import type { DesiredState, VmRow } from '../vms/row.js';

/** An action as its caller requested it. */
export interface Asked {
  readonly action: VmAction;
  readonly options: ActionOptions;
  /** The VM's host is fenced: it is placed again, and its disk made anew from its image. */
  readonly rebuild?: boolean;
}

/** The writes of an accepted action, and the job that answers it. */
export interface Intent {
  readonly patch: VmPatch | null;
  /** A new job, or the live one; null: the VM is in that state already. */
  readonly job: JobRow | 'live' | null;
  /** Whether the action ends the live job. */
  readonly supersedes: boolean;
}

const NOTHING: Intent = { patch: null, job: 'live', supersedes: false };

/**
 * Decides the writes of an action. Every outcome keeps the caller's intent: in a new job, in the live one, or as the
 * desired state of a VM that is there already. Pure.
 * @param decision the gate's, other than a refusal
 * @throws ServiceError capability_unsupported
 */
export function intend(decision: Gate, vm: VmRow, asked: Asked, owner: string | null, now: Date): Intent {
  switch (decision.outcome) {
    case 'already':
      return { patch: wishOnly(vm, asked.action), job: null, supersedes: false };
    case 'without_autostart':
      return { ...NOTHING, patch: redirected(vm, 'stopped') };
    case 'with_autostart':
      return { ...NOTHING, patch: redirected(vm, 'running') };
    case 'accept': {
      const { patch, job } = accepted(decision.via, vm, asked, owner, now);
      return { patch, job, supersedes: decision.preempts };
    }
    default:
      return NOTHING;
  }
}

/** When a user stops a guest that has powered itself off, the VM stays off. */
function wishOnly(vm: VmRow, action: VmAction): VmPatch | null {
  const reached = (ACTIONS[action].already as readonly VmState[]).includes(vm.state);
  const desired = desiredBy(action, vm.desired_state);
  if (!reached || vm.state === 'deleted' || desired === vm.desired_state) return null;
  const generation = vm.generation + 1;
  return { desired_state: desired, generation, observed_generation: generation, ...fresh(vm) };
}

/** The live create ends in another state. The new generation makes a worker that is in the last step run it again. */
function redirected(vm: VmRow, desired: DesiredState & ('running' | 'stopped')): VmPatch | null {
  if (vm.desired_state === desired) return null;
  return { desired_state: desired, autostart: desired === 'running', generation: vm.generation + 1 };
}

function accepted(via: VmState | null, vm: VmRow, asked: Asked, owner: string | null, now: Date) {
  const operation = asked.rebuild ? create : operationFor(asked.action);
  if (!operation) throw new ServiceError('capability_unsupported', `${asked.action} is not offered`);
  const intended: VmRow = {
    ...vm,
    state: asked.rebuild ? 'pending' : (via ?? vm.state),
    desired_state: desiredBy(asked.action, vm.desired_state),
    generation: vm.generation + 1,
    fence: vm.fence + 1,
  };
  const { vm: next, job } = newJob(intended, operation, jobArgs(vm, asked.options), owner, now);
  const { state, desired_state, generation, fence, task } = next;
  return { patch: { state, desired_state, generation, fence, task, ...fresh(vm) }, job };
}
