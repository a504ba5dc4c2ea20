import type { Condition } from '@novacron/contracts/common';
import { HOST_DRAINED } from './stop-reasons.js';
import { withCondition, withoutCondition } from './conditions.js';
import type { VmPatch } from './change.js';
import { NO_RESTART, type VmRow } from './row.js';

/** Of a VM with repeated unexpected ends: it waits for its next restart, or is not restarted any more. */
const CRASH_LOOP = 'CrashLoop';
/** After so long a run, restarts are counted anew. */
export const STABLE_MS = 600_000;
const LONGEST_BACKOFF_S = 300;

/** Stop reasons that are not a failure of the guest: a person caused them, or the disk is lost. */
export const WANTED = ['user', 'not_started', 'start_cancelled', 'host_lost', HOST_DRAINED];
const POWERED_OFF = 'guest_shutdown';

export type Restart =
  { readonly then: 'nothing' } | { readonly then: 'change' | 'start'; readonly patch: VmPatch };

type Restarted = Pick<
  VmRow,
  | 'state'
  | 'desired_state'
  | 'task'
  | 'stop_reason'
  | 'conditions'
  | 'restart_policy'
  | 'restarts'
  | 'restart_at'
  | 'restarted_at'
>;

/** The next action for a VM with a restart policy, by its present state alone. Pure. */
export function restartOf(vm: Restarted, now: Date): Restart {
  if (vm.task !== null) return { then: 'nothing' };
  if (vm.state === 'running')
    return isStable(vm, now) ? { then: 'change', patch: fresh(vm) } : { then: 'nothing' };
  if (!isWanted(vm)) return { then: 'nothing' };
  if (vm.restart_at !== null && vm.restart_at > now) return { then: 'nothing' };
  if (vm.restart_at !== null) return { then: 'start', patch: { restart_at: null, restarted_at: now } };
  return planned(vm, now);
}

/** The patch that resets the count of crashes, after a long run or a new intent of the user. */
export function fresh(vm: Pick<VmRow, 'conditions' | 'restarts' | 'restart_at'>): VmPatch {
  const looping = vm.conditions.some(({ type }) => type === CRASH_LOOP);
  if (!looping && vm.restarts === null && vm.restart_at === null) return {};
  const conditions = withoutCondition(vm.conditions, CRASH_LOOP);
  return { restarts: null, restart_at: null, restarted_at: null, conditions };
}

function isWanted(vm: Restarted): boolean {
  const { mode } = vm.restart_policy ?? NO_RESTART;
  if (mode === 'never' || vm.state !== 'stopped' || vm.desired_state !== 'running') return false;
  const reason = vm.stop_reason ?? '';
  return !WANTED.includes(reason) && !(mode === 'on-failure' && reason === POWERED_OFF);
}

function isStable({ restarts, restarted_at }: Restarted, now: Date): boolean {
  return restarts !== null && restarted_at !== null && now.getTime() - restarted_at.getTime() > STABLE_MS;
}

/** The next restart after the back-off, or none any more. */
function planned(vm: Restarted, now: Date): Restart {
  const policy = vm.restart_policy ?? NO_RESTART;
  const before = vm.restarts ?? 0;
  const why = vm.stop_reason ?? 'stopped';
  if (before >= policy.maxAttempts) {
    const message = `${why}: restarted ${before} times, and not any more. Start the VM to try again`;
    const conditions = crashLoop(vm, 'AttemptsExhausted', message, now);
    return sameReason(vm, conditions) ? { then: 'nothing' } : { then: 'change', patch: { conditions } };
  }
  const longest = Math.max(policy.backoff, LONGEST_BACKOFF_S);
  const seconds = Math.min(policy.backoff * 2 ** before, longest);
  const restart_at = new Date(now.getTime() + seconds * 1_000);
  const patch = { restarts: before + 1, restart_at };
  if (before === 0) return { then: 'change', patch };
  const message = `${why}: restart ${before + 1} of ${policy.maxAttempts} at ${restart_at.toISOString()}`;
  return { then: 'change', patch: { ...patch, conditions: crashLoop(vm, 'BackOff', message, now) } };
}

function crashLoop(vm: Restarted, reason: string, message: string, now: Date): Condition[] {
  const lastTransitionAt = now.toISOString();
  return withCondition(vm.conditions, {
    type: CRASH_LOOP,
    status: 'true',
    reason,
    message,
    lastTransitionAt,
  });
}

function sameReason(vm: Restarted, conditions: readonly Condition[]): boolean {
  const reasonIn = (all: readonly Condition[]) => all.find(({ type }) => type === CRASH_LOOP)?.reason;
  return reasonIn(vm.conditions) === reasonIn(conditions);
}
