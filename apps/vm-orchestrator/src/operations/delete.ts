import { detailOf } from '@novacron/contracts/common';
import type { HostAnswer } from '../hosts/commands.js';
import type { HostEffect } from '../hosts/capacity.js';
import type { Operation, StepContext, StepResult } from '../jobs/operation.js';
import { onAnswer } from './answers.js';

const AGAIN_MS = 1_000;
/** After its deadline a delete that the host refuses continues at this pace, without limit. */
const AGAIN_OVERDUE_MS = 10_000;

/**
 * Removes guest and disk, then the record. It cannot be reverted. When a host stays unreachable past the deadline, it
 * keeps a clean-up and the VM is deleted all the same. Name and quota are free then, the host's capacity after it.
 *
 * A host that answers is not unreachable. While it cannot remove the VM, its guest may run: the VM stays `deleting`,
 * with the reason in `lastError`, and holds its quota.
 */
export const remove: Operation = {
  kind: 'delete',
  steps: [
    {
      name: 'remove',
      state: 'deleting',
      cancel: { by: 'nothing', because: 'a VM that is being deleted cannot be kept' },
      async do(context) {
        if (context.vm.host_id === null) return deleted(context.now());
        const answer = await context.send({ kind: 'delete' });
        if (answer.outcome === 'host_fenced') return leftBehind(context.now());
        const result =
          answer.outcome === 'failed'
            ? refused(context, answer)
            : onAnswer(context, answer, () => deleted(context.now(), { effect: 'release' }));
        return { ...inTime(result, context), args: { hostAnswered: answer.outcome !== 'unreachable' } };
      },
    },
  ],
  failed: () => ({}),
  overdue: ({ job }, now) => (job.args.hostAnswered ? 'again' : leftBehind(now)),
};

function leftBehind(now: Date): StepResult {
  return {
    ...deleted(now, { effect: 'leave-cleanup' }),
    detail: 'the host could not be told: it will be when it is back',
  };
}

function refused(
  context: StepContext,
  { code, detail }: Extract<HostAnswer, { outcome: 'failed' }>,
): StepResult {
  const { vm, now } = context;
  const isKnown = vm.last_error?.code === code && vm.last_error.detail === detailOf(detail);
  const shown = isKnown
    ? {}
    : { patch: { last_error: { code, detail: detailOf(detail), at: now().toISOString() } } };
  return { then: 'wait', ms: AGAIN_MS, detail, ...shown };
}

function inTime(result: StepResult, { job, now }: StepContext): StepResult {
  if (result.then !== 'wait' || now() < job.deadline) return result;
  return { ...result, ms: Math.max(result.ms, AGAIN_OVERDUE_MS) };
}

function deleted(now: Date, host?: HostEffect): Extract<StepResult, { then: 'done' }> {
  return {
    then: 'done',
    releaseQuota: true,
    ...(host ? { host } : {}),
    patch: {
      state: 'deleted',
      deleted_at: now,
      host_id: null,
      stop_reason: null,
      last_error: null,
      conditions: [],
    },
  };
}
