import type { Capability } from '@novacron/contracts/infrastructure';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import type { Operation } from '../jobs/operation.js';
import type { DesiredState, JobKind } from '../vms/row.js';
import { coldMigrate } from './cold-migrate.js';
import { create } from './create.js';
import { remove } from './delete.js';
import { forceStop } from './force-stop.js';
import { pause, resume } from './pause.js';
import { reboot, reset } from './reboot.js';
import { start } from './start.js';
import { stop } from './stop.js';

/** The operations of actions. An action of the lifecycle that is not here is `capability_unsupported`. */
export const OPERATIONS: Partial<Record<JobKind, Operation>> = {
  create,
  start,
  stop,
  'force-stop': forceStop,
  reboot,
  reset,
  pause,
  resume,
  delete: remove,
};

/** Including those that are not actions of a user. */
const BY_KIND: Partial<Record<JobKind, Operation>> = { ...OPERATIONS, 'cold-migrate': coldMigrate };
/** Every operation that a job can run. */
export const ALL_OPERATIONS = Object.values(BY_KIND);
/** The kinds of jobs that there can be. */
export const JOB_KINDS = Object.keys(BY_KIND) as JobKind[];

/** The operation that a job of this kind runs. */
export function operationOf(kind: JobKind): Operation | undefined {
  return BY_KIND[kind];
}

/** The retry of a failed create is a create. */
export function operationFor(action: VmAction): Operation | undefined {
  return action === 'retry' ? create : OPERATIONS[action];
}

/** The capability that an action needs of the host's driver. */
export const NEEDS: Partial<Record<VmAction, Capability>> = {
  reboot: 'reboot',
  reset: 'reset',
  pause: 'pause',
  resume: 'pause',
};

/** The desired state by action. */
const DESIRED: Partial<Record<VmAction, DesiredState>> = {
  start: 'running',
  stop: 'stopped',
  'force-stop': 'stopped',
  reboot: 'running',
  reset: 'running',
  pause: 'paused',
  resume: 'running',
  delete: 'deleted',
};

/** The desired state once `action` is accepted. A retry does not start a guest that was not desired before. */
export function desiredBy(action: VmAction, before: DesiredState): DesiredState {
  if (action === 'retry') return before === 'stopped' ? 'stopped' : 'running';
  return DESIRED[action] ?? before;
}
