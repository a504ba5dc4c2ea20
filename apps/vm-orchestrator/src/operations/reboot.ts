import type { Operation } from '../jobs/operation.js';
import { backOrUnknown, onAnswer, running } from './answers.js';

/** Restarts the guest: `reboot` requests it and resets the guest after the grace, `reset` resets it at once. */
export const reboot: Operation = {
  kind: 'reboot',
  steps: [
    {
      name: 'reboot',
      state: 'rebooting',
      cancel: { by: 'nothing', because: 'the guest may be restarting already' },
      async do(context) {
        const graceMs = (context.job.args.graceSeconds ?? 30) * 1_000;
        const answer = await context.send({ kind: 'reboot', graceMs });
        return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
      },
    },
  ],
  failed: ({ job }, error) => backOrUnknown(job.args.before, error.code, 'running'),
};

export const reset: Operation = {
  kind: 'reset',
  steps: [
    {
      name: 'reset',
      state: 'rebooting',
      cancel: { by: 'nothing', because: 'the guest may be restarting already' },
      async do(context) {
        const answer = await context.send({ kind: 'reset' });
        return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
      },
    },
  ],
  failed: ({ job }, error) => backOrUnknown(job.args.before, error.code, 'running'),
};
