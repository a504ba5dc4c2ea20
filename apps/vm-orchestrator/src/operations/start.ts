import type { JobArgs } from '../jobs/args.js';
import type { Operation, StepContext, StepResult } from '../jobs/operation.js';
import type { VmPatch } from '../vms/change.js';
import { onAnswer, running } from './answers.js';
import { guestSpec } from './guest-spec.js';

/** Starts the guest on the host that holds the disk. */
export const start: Operation = {
  kind: 'start',
  steps: [
    {
      name: 'start',
      state: 'starting',
      cancel: { by: 'undoing', undo: unstart },
      async do(context) {
        const answer = await context.send({ kind: 'start', spec: guestSpec(context.vm) });
        return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
      },
    },
  ],
  failed: ({ job }, error) => unstarted(job.args, error),
};

/** Ends a guest whose start has begun; the disk stays. */
export async function unstart(context: StepContext): Promise<StepResult> {
  const answer = await context.send({ kind: 'force-stop' });
  return onAnswer(context, answer, () => ({ then: 'done' }));
}

/** The patch of a VM whose start failed or was cancelled. */
export function unstarted(args: JobArgs, error: { readonly code: string }): VmPatch {
  if (args.guestPaused) return { state: 'paused', stop_reason: null };
  return { state: 'stopped', stop_reason: error.code === 'cancelled' ? 'start_cancelled' : 'start_failed' };
}
