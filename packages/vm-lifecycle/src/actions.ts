import { STATES, type TransientState, type VmState } from './states.js';

/** What a user may ask of a VM. `stop` is graceful (ACPI), `reset` is `reboot` by the hard way. */
interface ActionRule {
  /** Accepted from these stable states. */
  readonly from: readonly VmState[];
  /** The state set with the acceptance; null where the table has none, and only `task` tells (pause). */
  readonly via: TransientState | null;
  /** States in which what is asked for is true already. */
  readonly already: readonly VmState[];
  /** Wins over work in flight: the running job is superseded. */
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

/** Actions of the table that no driver can do yet: a caller who asks for one is told so, and answers name none of them. */
const WITHOUT_DRIVER: readonly VmAction[] = ['suspend', 'resize', 'migrate', 'rebuild'];
/** The actions that some driver can do. A test of the orchestrator compares them with the operations that it has. */
export const OFFERED_ACTIONS = VM_ACTIONS.filter((action) => !WITHOUT_DRIVER.includes(action));

/** The part of a VM that decides what may be asked of it. */
export interface GateView {
  readonly state: VmState;
  /** The action of the live job, if there is one; `create` and `cold-migrate` are jobs that are not actions. */
  readonly task: VmAction | 'create' | 'cold-migrate' | null;
  /** Whether a host holds anything of it: a disk, perhaps a guest. */
  readonly placed: boolean;
}

export type Gate =
  /** Write the intent: set `via` (where there is one) and start a job; `preempts` ends the live one. */
  | { readonly outcome: 'accept'; readonly via: TransientState | null; readonly preempts: boolean }
  /** True already: 200 without a job. */
  | { readonly outcome: 'already' }
  /** The live job leads there: 202 with it. */
  | { readonly outcome: 'in_flight' }
  /** No guest exists yet: the create goes on, but ends in `stopped`; 202 with the live job. */
  | { readonly outcome: 'without_autostart' }
  /** The live create goes on and ends in `running`, whatever was asked of it before; 202 with the live job. */
  | { readonly outcome: 'with_autostart' }
  /** 409: other work is in flight. */
  | { readonly outcome: 'busy' }
  /** 409: this state has no way there. */
  | { readonly outcome: 'invalid_state' };

/**
 * Decides the outcome of `action` on a VM. Pure: the orchestrator calls it under the lock of the VM's row, and to list
 * `allowedActions`.
 */
export function gate(action: VmAction, vm: GateView): Gate {
  const rule: ActionRule = ACTIONS[action];
  if (vm.task === action) return { outcome: 'in_flight' };
  if (vm.state === 'deleted') return { outcome: action === 'delete' ? 'already' : 'invalid_state' };
  if (vm.state === 'deleting') return { outcome: rule.preempts ? 'in_flight' : 'busy' };
  if (action === 'force-stop' && !guestMayExist(vm)) {
    return { outcome: vm.state === 'error' ? 'already' : 'without_autostart' };
  }
  // A host that was fenced stops its VMs under whatever job is live: there is nothing left to force.
  if (rule.preempts && rule.already.includes(vm.state)) return { outcome: 'already' };
  if (action === 'start' && vm.task === 'create') return { outcome: 'with_autostart' };
  if (vm.task !== null) return rule.preempts ? accept(rule) : { outcome: inFlightOrBusy(action, vm) };
  if (rule.already.includes(vm.state)) return { outcome: 'already' };
  if (action === 'start' && vm.state === 'error' && !vm.placed) return { outcome: 'invalid_state' };
  if (rule.from.includes(vm.state) || (rule.preempts && STATES[vm.state].kind === 'transient'))
    return accept(rule);
  return { outcome: STATES[vm.state].kind === 'transient' ? 'busy' : 'invalid_state' };
}

/** The actions that would be accepted now, in the table's order. */
export function allowedActions(vm: GateView): VmAction[] {
  return VM_ACTIONS.filter((action) => ['accept', 'without_autostart'].includes(gate(action, vm).outcome));
}

function accept(rule: ActionRule): Gate {
  return { outcome: 'accept', via: rule.via, preempts: rule.preempts };
}

/** Before provisioning is over there is no guest to stop; an error without a host never had one. */
function guestMayExist(vm: GateView): boolean {
  return vm.state !== 'pending' && vm.state !== 'provisioning' && !(vm.state === 'error' && !vm.placed);
}

/** The same intent by another name: a retry is a create, and a hard stop answers a soft one. */
function inFlightOrBusy(action: VmAction, vm: GateView): 'in_flight' | 'busy' {
  if (action === 'retry' && vm.task === 'create') return 'in_flight';
  if (action === 'stop' && vm.task === 'force-stop') return 'in_flight';
  return 'busy';
}
