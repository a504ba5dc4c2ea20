import { GUEST_FAULTS, isGuestFault, type PowerState, type VmFact } from '@novacron/contracts/agents';
import { canTransition, type VmState } from '@novacron/vm-lifecycle/states';
import { HOST_UNREACHABLE } from '../hosts/row.js';
import { withoutCondition } from '../vms/conditions.js';
import type { VmPatch } from '../vms/change.js';
import { withGuest } from '../vms/guest-conditions.js';
import type { VmRow } from '../vms/row.js';

/** The number of a fact; of two facts of one host the higher number is newer. */
export interface Stamp {
  readonly epoch: number;
  readonly seq: number;
}

/** The part of a VM that a fact is compared with. */
export type Judged = Pick<
  VmRow,
  | 'id'
  | 'state'
  | 'task'
  | 'conditions'
  | 'stop_reason'
  | 'last_error'
  | 'incarnation'
  | 'fact_epoch'
  | 'fact_seq'
>;

export type Verdict =
  /** The fact agrees with the database. */
  | { readonly outcome: 'same' }
  /** A newer fact was applied, or the fact is of an earlier guest process. */
  | { readonly outcome: 'stale' }
  /** A live job decides; `patch` is written all the same. */
  | { readonly outcome: 'busy'; readonly patch: VmPatch | null }
  | { readonly outcome: 'changed'; readonly patch: VmPatch };

export const GUEST_LOST = 'guest_lost';

export function isNewer(a: Stamp, b: Stamp): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
}

/** The effect of a fact on a VM that is placed on the reporting host. Pure. */
export function judge(vm: Judged, fact: VmFact, stamp: Stamp, now: Date): Verdict {
  if (!isNewer(stamp, { epoch: vm.fact_epoch, seq: vm.fact_seq })) return { outcome: 'stale' };
  const reachable = reachablePatch(vm);
  if (vm.task !== null) return { outcome: 'busy', patch: reachable };
  // Within an epoch a host cannot have fewer guest processes behind it than before: the fact is of an old one.
  const oldGuest =
    fact.power !== 'absent' &&
    !fact.damaged &&
    stamp.epoch === vm.fact_epoch &&
    fact.incarnation < vm.incarnation;
  if (oldGuest) return { outcome: 'stale' };
  const known = { ...vm, ...reachable };
  const patch = {
    ...reachable,
    ...incarnationPatch(vm, fact),
    ...conditionsPatch(known, fact, now),
    ...faultPatch(vm, fact, now),
    ...statePatch(vm, fact, now),
  };
  if (Object.keys(patch).length === 0) return { outcome: 'same' };
  return { outcome: 'changed', patch: { ...patch, fact_epoch: stamp.epoch, fact_seq: stamp.seq } };
}

function reachablePatch({ conditions }: Judged): VmPatch | null {
  if (!conditions.some(({ type }) => type === HOST_UNREACHABLE)) return null;
  return { conditions: withoutCondition(conditions, HOST_UNREACHABLE) };
}

function incarnationPatch(vm: Judged, fact: VmFact): VmPatch {
  return fact.power === 'absent' || fact.damaged || fact.incarnation === vm.incarnation
    ? {}
    : { incarnation: fact.incarnation };
}

function conditionsPatch({ conditions: before }: Judged, fact: VmFact, now: Date): VmPatch {
  const conditions = withGuest(before, fact, now);
  return conditions === before ? {} : { conditions };
}

/** A guest that the hypervisor has paused shows why, until it runs again. */
function faultPatch({ last_error: before }: Judged, { power, reason }: VmFact, now: Date): VmPatch {
  if (power === 'paused' && isGuestFault(reason)) {
    if (before?.code === reason) return {};
    return { last_error: { code: reason, detail: GUEST_FAULTS[reason], at: now.toISOString() } };
  }
  return before && isGuestFault(before.code) && power !== 'paused' ? { last_error: null } : {};
}

function statePatch(vm: Judged, fact: VmFact, now: Date): VmPatch {
  if (fact.power === 'absent') return lostPatch(vm, fact, now);
  const state = stateOf(fact.power);
  const wasLost = vm.last_error?.code === GUEST_LOST;
  // A suspended VM has no guest process. A VM in error waits for its user, unless it was only missing.
  if (vm.state === state || (vm.state === 'suspended' && state === 'stopped')) return {};
  if ((vm.state === 'error' && !wasLost) || !canTransition(vm.state, state)) return {};
  const found = wasLost ? { last_error: null } : {};
  if (state !== 'stopped') return { state, stop_reason: null, ...found };
  return { state, stop_reason: fact.reason ?? 'guest_stopped', ...found };
}

function stateOf(power: Exclude<PowerState, 'absent'>): VmState {
  switch (power) {
    case 'running':
    case 'paused':
    case 'stopped':
      return power;
  }
}

/** The host has neither guest nor disk of a VM that should be there. */
function lostPatch(vm: Judged, fact: VmFact, now: Date): VmPatch {
  // A VM in error may never have been on the host.
  if (vm.state === 'error' || vm.last_error?.code === GUEST_LOST) return {};
  const last_error = {
    code: GUEST_LOST,
    detail: fact.reason ?? 'the host has neither a guest nor a disk of this VM',
    at: now.toISOString(),
  };
  if (vm.state === 'stopped') return { last_error };
  if (canTransition(vm.state, 'error')) return { state: 'error', last_error };
  return canTransition(vm.state, 'stopped') ? { state: 'stopped', stop_reason: GUEST_LOST, last_error } : {};
}
