import type { Operation } from '../jobs/operation.js';
import { onAnswer, running } from './answers.js';
import { guestSpec } from './guest-spec.js';

/** From stopped to running, on the host that holds the disk. */
export const start: Operation = {
  kind: 'start',
  steps: [
    {
      name: 'start',
      state: 'starting',
      async do(context) {
        const answer = await context.send({ kind: 'start', spec: guestSpec(context.vm) });
        return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
      },
    },
  ],
  failed: () => ({ state: 'stopped', stop_reason: 'start_failed' }),
};
