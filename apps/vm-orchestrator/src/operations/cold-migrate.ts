import type { Operation, Step, StepContext, StepResult } from '../jobs/operation.js';
import { HOST_DRAINED } from '../vms/stop-reasons.js';
import { backOrUnknown, onAnswer, running } from './answers.js';
import { withCapacity, withoutCapacity } from './capacity-condition.js';
import { LEFT_FOR_CLEANUP, unprovision } from './create.js';
import { guestSpec } from './guest-spec.js';
import { unstarted } from './start.js';
import { stop } from './stop.js';

const OPERATORS = { by: 'nothing', because: 'an operator empties the host' } as const;

/**
 * A step of `stop`, after which this operation continues. A guest that is off is skipped. A guest that its host cannot
 * shut down is forced off.
 */
function powerOff(step: Step): Step {
  return {
    name: step.name,
    state: 'migrating',
    cancel: OPERATORS,
    async do(context) {
      if (context.job.args.before === 'stopped') return { then: 'next' };
      const result = await step.do(context);
      if (result.then === 'failed' && step.name === 'shutdown' && result.code !== 'host_fenced')
        return forceNow(context, result);
      if (result.then !== 'done') return result;
      return { then: 'next', ...(result.fact ? { fact: result.fact } : {}) };
    },
  };
}

/** The grace of a guest whose host refused to press its power button is over. */
function forceNow({ now }: StepContext, refused: Extract<StepResult, { then: 'failed' }>): StepResult {
  return {
    then: 'next',
    args: { forceAt: now().toISOString() },
    detail: `the host could not shut the guest down, it is forced: ${refused.detail ?? refused.code}`,
  };
}

const move: Step = {
  name: 'move',
  state: 'migrating',
  cancel: OPERATORS,
  async do(context) {
    const { vm, job } = context;
    const { hostId, fits, explanation } = job.args.rebuildable
      ? await context.place()
      : { hostId: null, fits: 'later' as const, explanation: undefined };
    // The host was uncordoned meanwhile, and is the best one now.
    if (hostId !== null && hostId === vm.host_id) return { then: 'next', detail: 'it stays on its host' };
    if (hostId !== null && explanation) {
      const numbers = { fact_epoch: 0, fact_seq: 0 };
      return {
        then: 'next',
        host: { effect: 'move', hostId },
        patch: { host_id: hostId, ...numbers, ...withCapacity(vm) },
        placement: explanation,
        detail: explanation.summary,
      };
    }
    const why = explanation ? withoutCapacity(vm, fits, explanation.summary, context.now()) : {};
    return {
      then: 'done',
      patch: { state: 'stopped', stop_reason: stoppedBy(context), ...why },
      detail: explanation?.summary ?? `image ${vm.image} is not rebuildable: the disk is on this host alone`,
    };
  },
};

/** As in a create, a force-stop meanwhile does not stop the provisioning: it only keeps the guest from starting. */
const provision: Step = {
  name: 'provision',
  state: 'provisioning',
  cancel: OPERATORS,
  async do(context) {
    const answer = await context.send({ kind: 'create', spec: guestSpec(context.vm) });
    return onAnswer(context, answer, () => ({ then: 'next' }));
  },
  undo: unprovision,
  abandoned: LEFT_FOR_CLEANUP,
};

const start: Step = {
  name: 'start',
  state: 'starting',
  cancel: OPERATORS,
  async do(context): Promise<StepResult> {
    if (context.vm.desired_state !== 'running')
      return { then: 'done', patch: { state: 'stopped', stop_reason: stoppedBy(context) } };
    const answer = await context.send({ kind: 'start', spec: guestSpec(context.vm) });
    return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
  },
};

/** A VM that was off before keeps its reason. */
function stoppedBy({ job, vm }: StepContext): string | null {
  return job.args.before === 'stopped' ? vm.stop_reason : HOST_DRAINED;
}

/**
 * Takes a VM off a host that is drained: powers it off, makes it anew on another host, and starts it there if it is
 * meant to run. The host before removes what it has as soon as it can. A VM that cannot leave stays there, stopped.
 */
export const coldMigrate: Operation = {
  kind: 'cold-migrate',
  steps: [powerOff(stop.steps[0]), ...stop.steps.slice(1).map(powerOff), move, provision, start],
  // Before the move only the power has changed. After it there is not a disk any more, and a retry makes one.
  failed: ({ vm, job }, error) => {
    if (vm.state === 'starting') return unstarted(job.args, error);
    return vm.host_id === job.args.from
      ? backOrUnknown(job.args.before, error.code, 'stopped')
      : { state: 'error' };
  },
};
