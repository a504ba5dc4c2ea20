import { GUEST_FAULTS, isGuestFault, type VmFact } from '@novacron/contracts/agents';
import type { Condition } from '@novacron/contracts/common';
import { GUEST_READY } from '@novacron/contracts/vms';
import { withCondition, withoutCondition } from './conditions.js';

/** The hypervisor has paused the guest by itself; the reason is one of `GUEST_FAULTS`. */
export const GUEST_FAULT = 'GuestFault';
/** The host cannot read its record of the VM. */
export const RECORD_DAMAGED = 'RecordDamaged';

type Why = Pick<Condition, 'status' | 'reason' | 'message'>;

/**
 * The conditions of a VM after a fact of its host: whether the guest is up, whether the hypervisor had to pause it,
 * whether the host can still read its record. Pure.
 * @returns `conditions` itself when they do not change
 */
export function withGuest(conditions: Condition[], fact: VmFact, now: Date): Condition[] {
  const next = [
    [GUEST_READY, readiness(fact)],
    [GUEST_FAULT, fault(fact)],
    [RECORD_DAMAGED, damage(fact)],
  ] as const;
  return next.reduce((all, [type, why]) => put(all, type, why, now), conditions);
}

/** The conditions of a VM whose host is unreachable: those of the guest are out of date. */
export function withoutGuest(conditions: readonly Condition[]): Condition[] {
  return withoutCondition(withoutCondition(conditions, GUEST_READY), GUEST_FAULT);
}

function put(all: Condition[], type: string, why: Why | null, now: Date): Condition[] {
  const before = all.find((condition) => condition.type === type);
  if (why === null) return before ? withoutCondition(all, type) : all;
  if (before?.status === why.status && before.reason === why.reason) return all;
  return withCondition(all, { type, ...why, lastTransitionAt: now.toISOString() });
}

function readiness({ power, ready }: VmFact): Why | null {
  if (power !== 'running' || ready === undefined) return null;
  return ready
    ? { status: 'true', reason: 'GuestReported', message: 'the guest has reported that it is up' }
    : { status: 'false', reason: 'NotReported', message: 'the guest has not reported that it is up' };
}

function fault({ power, reason }: VmFact): Why | null {
  if (power !== 'paused' || !isGuestFault(reason)) return null;
  return { status: 'true', reason, message: GUEST_FAULTS[reason] };
}

function damage({ damaged }: VmFact): Why | null {
  if (damaged !== true) return null;
  const message = 'the host cannot read its record of this VM: force-stop and delete work, and nothing else';
  return { status: 'true', reason: 'RecordUnreadable', message };
}
