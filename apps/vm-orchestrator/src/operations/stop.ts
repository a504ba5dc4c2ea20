import type { CommandReply } from '@novacron/contracts/agents';
import type { Operation, StepContext, StepResult } from '../jobs/operation.js';
import { backOrUnknown, onAnswer } from './answers.js';

const LOOK_AGAIN_MS = 250;
const ASKED = { by: 'nothing', because: 'the guest was asked to power off and may be doing so' } as const;
const stopped = { state: 'stopped', stop_reason: 'user' } as const;

/**
 * Requests the guest to power off (ACPI) and forces it off after `graceSeconds`. A paused guest cannot react to the
 * power button and is forced off at once.
 */
export const stop: Operation = {
  kind: 'stop',
  steps: [
    {
      name: 'shutdown',
      state: 'stopping',
      cancel: ASKED,
      async do(context) {
        const grace = context.job.args.before === 'paused' ? 0 : (context.job.args.graceSeconds ?? 30);
        const forceAt = new Date(context.now().getTime() + grace * 1_000).toISOString();
        if (grace === 0) return { then: 'next', args: { forceAt } };
        return onAnswer(context, await context.send({ kind: 'shutdown' }), (reply) =>
          isOff(reply) ? { then: 'done', patch: stopped } : { then: 'next', args: { forceAt } },
        );
      },
    },
    { name: 'await-off', cancel: ASKED, do: awaitOff },
    {
      name: 'force',
      cancel: { by: 'nothing', because: 'the guest may have been ended already' },
      async do(context) {
        const answer = await context.send({ kind: 'force-stop' });
        return onAnswer(context, answer, () => ({ then: 'done', patch: stopped }));
      },
    },
  ],
  failed: ({ job }, error) => backOrUnknown(job.args.before, error.code, 'running'),
};

async function awaitOff(context: StepContext): Promise<StepResult> {
  if (context.now().toISOString() >= (context.job.args.forceAt ?? '')) {
    return { then: 'next', detail: 'the guest did not power off in its grace: forcing it' };
  }
  const answer = await context.send({ kind: 'observe' });
  if (answer.outcome === 'done' && isOff(answer)) return { then: 'done', patch: stopped, fact: answer };
  return { then: 'wait', ms: LOOK_AGAIN_MS, detail: 'the guest is powering off' };
}

function isOff(reply: Extract<CommandReply, { outcome: 'done' }>): boolean {
  return reply.fact.power === 'stopped' || reply.fact.power === 'absent';
}
