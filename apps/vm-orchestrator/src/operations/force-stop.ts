import type { Operation } from '../jobs/operation.js';
import { onAnswer } from './answers.js';

/** Ends the guest at once. It supersedes other work in flight. */
export const forceStop: Operation = {
  kind: 'force-stop',
  steps: [
    {
      name: 'force-stop',
      state: 'stopping',
      cancel: { by: 'nothing', because: 'the guest may have been ended already' },
      async do(context) {
        // A VM without a host has no guest.
        if (context.vm.host_id === null)
          return { then: 'done', patch: { state: 'stopped', stop_reason: 'user' } };
        const answer = await context.send({ kind: 'force-stop' });
        return onAnswer(context, answer, () => ({
          then: 'done',
          patch: { state: 'stopped', stop_reason: 'user' },
        }));
      },
    },
  ],
  // The superseded work may have changed the state already: the resync finds it out.
  failed: () => ({ state: 'unknown' }),
};
