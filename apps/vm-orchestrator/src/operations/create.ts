import type { Condition } from '@novacron/contracts/common';
import { HOST_UNREACHABLE, withoutCondition } from '../hosts/row.js';
import { CANCELLED } from '../jobs/advance.js';
import type { Claim, Operation, Step, StepContext, StepResult } from '../jobs/operation.js';
import { onAnswer, running } from './answers.js';
import { missingCapacity, withCapacity, withoutCapacity } from './capacity-condition.js';
import { guestSpec } from './guest-spec.js';
import { unstart, unstarted } from './start.js';

const PLACE_AGAIN_MS = 1_000;
/** Clean-up after a failed provisioning: tried this often before it is left to the resync. */
const UNDO_ATTEMPTS = 5;
const LEFT_FOR_CLEANUP = { host: { effect: 'leave-cleanup' }, patch: { host_id: null } } as const;

const place: Step = {
  name: 'place',
  state: 'pending',
  cancel: { by: 'ending' },
  async do(context) {
    if (context.vm.host_id !== null) {
      if (context.hostIsFenced()) return leaveHost(context.vm.conditions);
      return { then: 'next', detail: 'it has a host' };
    }
    const { hostId, fits, explanation } = await context.place();
    if (hostId !== null) {
      return {
        then: 'next',
        host: { effect: 'reserve', hostId },
        // Facts of another host are numbered otherwise.
        patch: { host_id: hostId, fact_epoch: 0, fact_seq: 0, ...withCapacity(context.vm) },
        placement: explanation,
        detail: explanation.summary,
      };
    }
    const refused = {
      placement: explanation,
      detail: explanation.summary,
      patch: withoutCapacity(context.vm, fits, explanation.summary, context.now()),
    };
    if (fits === 'never' || context.now() >= context.job.deadline)
      return { then: 'failed', code: 'no_capacity', ...refused };
    return { then: 'wait', ms: PLACE_AGAIN_MS, ...refused };
  },
};

/** Its host was taken for gone, and its disk with it: should the host come back, it removes what it has. */
function leaveHost(conditions: readonly Condition[]): StepResult {
  const patch = { host_id: null, conditions: withoutCondition(conditions, HOST_UNREACHABLE) };
  const host = { effect: 'leave-cleanup' } as const;
  return { then: 'wait', ms: 0, host, patch, detail: 'its host is fenced: it is placed again' };
}

const provision: Step = {
  name: 'provision',
  state: 'provisioning',
  cancel: { by: 'undoing', undo: unprovision },
  async do(context) {
    const answer = await context.send({ kind: 'create', spec: guestSpec(context.vm) });
    return onAnswer(context, answer, () =>
      context.vm.desired_state === 'stopped'
        ? { then: 'done', patch: { state: 'stopped', stop_reason: 'not_started', last_error: null } }
        : { then: 'next' },
    );
  },
  undo: unprovision,
  abandoned: LEFT_FOR_CLEANUP,
};

/** Nothing of it may stay on the host; a host that cannot be told is told later. */
async function unprovision(context: StepContext): Promise<StepResult> {
  if (context.vm.host_id === null) return { then: 'next' };
  const answer = await context.send({ kind: 'delete' });
  if (answer.outcome === 'done')
    return { then: 'next', host: { effect: 'release' }, patch: { host_id: null } };
  if (answer.outcome !== 'host_fenced' && context.job.attempt + 1 < UNDO_ATTEMPTS)
    return { then: 'wait', ms: 500, detail: 'clean-up on the host' };
  return { then: 'next', ...LEFT_FOR_CLEANUP, detail: 'left for clean-up' };
}

const start: Step = {
  name: 'start',
  state: 'starting',
  cancel: { by: 'undoing', undo: unstart },
  async do(context) {
    // A force-stop that came while it was provisioned took the wish back.
    if (context.vm.desired_state === 'stopped') {
      return { then: 'done', patch: { state: 'stopped', stop_reason: 'not_started' } };
    }
    const answer = await context.send({ kind: 'start', spec: guestSpec(context.vm) });
    return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
  },
};

/** From nothing to a running VM: find a host and book its room, make the disk, start the guest. */
export const create: Operation = {
  kind: 'create',
  steps: [place, provision, start],
  overdue: waitedInVain,
  failed: ({ vm, job }, error) => {
    if (vm.state === 'starting') return unstarted(job.args, error);
    // A create that was cancelled waits for no host any more.
    return { state: 'error', ...(error.code === CANCELLED ? withCapacity(vm) : {}) };
  },
};

/** The deadline of a create that placement has refused until now. */
function waitedInVain({ vm, job }: Claim): StepResult | null {
  const missing = missingCapacity(vm);
  if (job.step !== place.name || !missing) return null;
  return { then: 'failed', code: 'no_capacity', detail: `No host had room in time: ${missing.message}` };
}
