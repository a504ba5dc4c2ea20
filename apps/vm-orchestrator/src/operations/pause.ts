import type { Operation, StepContext, StepResult } from '../jobs/operation.js';
import { backOrUnknown, onAnswer, running } from './answers.js';

/** Halts the guest's CPUs; memory stays. There is not a transient state for it: `task` shows the job. */
export const pause: Operation = {
  kind: 'pause',
  steps: [
    {
      name: 'pause',
      cancel: { by: 'undoing', undo: (context) => sendBack(context, 'resume') },
      async do(context) {
        const answer = await context.send({ kind: 'pause' });
        return onAnswer(context, answer, () => ({ then: 'done', patch: { state: 'paused' } }));
      },
    },
  ],
  // The guest still runs as far as known: a failed pause changes no state.
  failed: () => ({}),
};

async function sendBack(context: StepContext, kind: 'pause' | 'resume'): Promise<StepResult> {
  return onAnswer(context, await context.send({ kind }), () => ({ then: 'done' }));
}

export const resume: Operation = {
  kind: 'resume',
  steps: [
    {
      name: 'resume',
      state: 'resuming',
      cancel: { by: 'undoing', undo: (context) => sendBack(context, 'pause') },
      async do(context) {
        const answer = await context.send({ kind: 'resume' });
        return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
      },
    },
  ],
  failed: ({ job }, error) => backOrUnknown(job.args.before, error.code, 'paused'),
};
