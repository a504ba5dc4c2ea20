import type { HostId } from '@novacron/contracts/ids';
import { ActionOptions } from '@novacron/contracts/vms';
import { isTransient, type VmState } from '@novacron/vm-lifecycle/states';
import type { DesiredState, VmRow } from '../vms/row.js';

/** The arguments of a job: the caller's options, the VM's state before, and results of steps for the next ones. */
export interface JobArgs extends Partial<ActionOptions> {
  /** The VM's state when the action was accepted: the one to go back to. */
  before?: VmState;
  /** The VM's desired state before the action, restored when the job is cancelled. */
  desired?: DesiredState;
  /** When a graceful stop turns into a hard one, RFC 3339. */
  forceAt?: string;
  /** Whether the host answered the last command in any way: it was reachable then. */
  hostAnswered?: boolean;
  /** The command failed because the hypervisor had to pause the guest: it is still there. */
  guestPaused?: boolean;
  /** Of a cold migration: the host that the VM leaves, and whether its image allows a new disk elsewhere. */
  from?: HostId;
  rebuildable?: boolean;
}

/** The arguments with which an action's job begins. A retry of the job begins with the same `options`. */
export function jobArgs(vm: Pick<VmRow, 'state' | 'desired_state'>, options: ActionOptions): JobArgs {
  return { ...options, before: vm.state, desired: vm.desired_state };
}

/** The caller's options among the arguments of a job. A missing option has its default. */
export function optionsOf(args: JobArgs): ActionOptions {
  const said = Object.entries(args).filter(([name]) => name in ActionOptions.shape);
  return ActionOptions.parse(Object.fromEntries(said));
}

/** The stable state that a job began in; undefined when it superseded other work. */
export function stableBefore({ before }: JobArgs): VmState | undefined {
  return before === undefined || isTransient(before) ? undefined : before;
}
