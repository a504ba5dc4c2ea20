import { STATES, type TransientState, type VmState } from './states.js';

/** One action that a user may request of a VM. `stop` is graceful (ACPI). `reset` is a hard `reboot`. */
interface ActionRule {
  /** The stable states that accept the action. */
  readonly from: readonly VmState[];
  /** The state that the acceptance sets. Null for an action without a transient state, such as pause: only `task` shows it. */
  readonly via: TransientState | null;
  /** States in which the intent is already true. */
  readonly already: readonly VmState[];
  /** The action takes precedence over work in flight: it supersedes the running job. */
  readonly preempts: boolean;
}

const GUEST_MAY_RUN = ['running', 'paused', 'suspended', 'unknown', 'error'] as const satisfies VmState[];

export const ACTIONS = {
  start: { from: ['stopped', 'error'], via: 'starting', already: ['running'], preempts: false },
  stop: { from: ['running', 'paused'], via: 'stopping', already: ['stopped'], preempts: false },
  'force-stop': { from: GUEST_MAY_RUN, via: 'stopping', already: ['stopped'], preempts: true },
  reboot: { from: ['running'], via: 'rebooting', already: [], preempts: false },
  reset: { from: ['running', 'paused'], via: 'rebooting', already: [], preempts: false },
  pause: { from: ['running'], via: null, already: ['paused'], preempts: false },
  resume: { from: ['paused', 'suspended'], via: 'resuming', already: ['running'], preempts: false },
  suspend: { from: ['running', 'paused'], via: 'suspending', already: ['suspended'], preempts: false },
  resize: { from: ['running', 'stopped'], via: 'resizing', already: [], preempts: false },
  migrate: { from: ['running', 'paused', 'stopped'], via: 'migrating', already: [], preempts: false },
  rebuild: { from: ['stopped'], via: 'restoring', already: [], preempts: false },
  retry: { from: ['error'], via: 'pending', already: [], preempts: false },
  delete: {
    from: ['running', 'stopped', 'paused', 'suspended', 'unknown', 'error'],
    via: 'deleting',
    already: ['deleted'],
    preempts: true,
  },
} as const satisfies Record<string, ActionRule>;

export type VmAction = keyof typeof ACTIONS;
export const VM_ACTIONS = Object.keys(ACTIONS) as VmAction[];

/** Actions that no driver supports yet. A request for one is refused, and no answer offers it. */
const WITHOUT_DRIVER: readonly VmAction[] = ['suspend', 'resize', 'migrate', 'rebuild'];
/** The actions that at least one driver supports. A test of the orchestrator compares them with its operations. */
export const OFFERED_ACTIONS = VM_ACTIONS.filter((action) => !WITHOUT_DRIVER.includes(action));

/** The part of a VM that decides which actions it accepts. */
export interface GateView {
  readonly state: VmState;
  /** The action of the live job. `create` and `cold-migrate` are jobs that are not actions. */
  readonly task: VmAction | 'create' | 'cold-migrate' | null;
  /** Whether a host has its disk, or its guest. */
  readonly placed: boolean;
}

export type Gate =
  /** Write the intent: set `via` unless it is null, and start a job. `preempts`: end the live job. */
  | { readonly outcome: 'accept'; readonly via: TransientState | null; readonly preempts: boolean }
  /** The intent is already true: 200 without a job. */
  | { readonly outcome: 'already' }
  /** The live job has the same intent: 202 with that job. */
  | { readonly outcome: 'in_flight' }
  /** No guest exists yet: the create continues and ends in `stopped`. 202 with the live job. */
  | { readonly outcome: 'without_autostart' }
  /** The live create continues and ends in `running`, also after an earlier force-stop. 202 with the live job. */
  | { readonly outcome: 'with_autostart' }
  /** Other work is in flight: 409. */
  | { readonly outcome: 'busy' }
  /** The state does not allow the action: 409. */
  | { readonly outcome: 'invalid_state' };

/**
 * Decides the outcome of `action` on a VM. The function is pure. The orchestrator calls it under the lock of the VM's
 * row, and to list `allowedActions`.
 */
export function gate(action: VmAction, vm: GateView): Gate {
  const rule: ActionRule = ACTIONS[action];
  if (vm.task === action) return { outcome: 'in_flight' };
  if (vm.state === 'deleted') return { outcome: action === 'delete' ? 'already' : 'invalid_state' };
  if (vm.state === 'deleting') return { outcome: rule.preempts ? 'in_flight' : 'busy' };
  if (action === 'force-stop' && !guestMayExist(vm)) {
    return { outcome: vm.state === 'error' ? 'already' : 'without_autostart' };
  }
  // A fenced host stops its VMs even under a live job. Nothing is left to force.
  if (rule.preempts && rule.already.includes(vm.state)) return { outcome: 'already' };
  if (action === 'start' && vm.task === 'create') return { outcome: 'with_autostart' };
  if (vm.task !== null) return rule.preempts ? accept(rule) : { outcome: inFlightOrBusy(action, vm) };
  if (rule.already.includes(vm.state)) return { outcome: 'already' };
  if (action === 'start' && vm.state === 'error' && !vm.placed) return { outcome: 'invalid_state' };
  if (rule.from.includes(vm.state) || (rule.preempts && STATES[vm.state].kind === 'transient'))
    return accept(rule);
  return { outcome: STATES[vm.state].kind === 'transient' ? 'busy' : 'invalid_state' };
}

/** The actions that the VM would accept now, in the table's order. */
export function allowedActions(vm: GateView): VmAction[] {
  return VM_ACTIONS.filter((action) => ['accept', 'without_autostart'].includes(gate(action, vm).outcome));
}

function accept(rule: ActionRule): Gate {
  return { outcome: 'accept', via: rule.via, preempts: rule.preempts };
}

/** A guest exists only after provisioning. A VM in error without a host never had one. */
function guestMayExist(vm: GateView): boolean {
  return vm.state !== 'pending' && vm.state !== 'provisioning' && !(vm.state === 'error' && !vm.placed);
}

/** A retry has the intent of a create, and a force-stop fulfils a stop. */
function inFlightOrBusy(action: VmAction, vm: GateView): 'in_flight' | 'busy' {
  if (action === 'retry' && vm.task === 'create') return 'in_flight';
  if (action === 'stop' && vm.task === 'force-stop') return 'in_flight';
  return 'busy';
}
