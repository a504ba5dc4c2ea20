import type { HostEffect, Operation, StepResult } from '../jobs/operation.js';
import { onAnswer } from './answers.js';

/**
 * Removes guest and disk, then the record. One way: a host that stays unreachable past the deadline keeps a
 * clean-up, and the VM is deleted all the same; name and quota are free then, the host's room after it.
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
        if (answer.outcome === 'failed') {
          return { then: 'wait', ms: 1_000, detail: answer.detail };
        }
        return onAnswer(context, answer, () => deleted(context.now(), { effect: 'release' }));
      },
    },
  ],
  failed: () => ({}),
  overdue: (_claim, now) => leftBehind(now),
};

function leftBehind(now: Date): StepResult {
  return {
    ...deleted(now, { effect: 'leave-cleanup' }),
    detail: 'the host could not be told: it will be when it is back',
  };
}

function deleted(now: Date, host?: HostEffect): Extract<StepResult, { then: 'done' }> {
  return {
    then: 'done',
    releaseQuota: true,
    ...(host ? { host } : {}),
    patch: { state: 'deleted', deleted_at: now, host_id: null, stop_reason: null, conditions: [] },
  };
}
