import { HOST_UNREACHABLE } from '../hosts/row.js';
import { withoutCondition } from '../vms/conditions.js';
import { CANCELLED } from '../jobs/advance.js';
import type { LeasedJob, Operation, Step, StepContext, StepResult } from '../jobs/operation.js';
import type { VmRow } from '../vms/row.js';
import { onAnswer, running } from './answers.js';
import { missingCapacity, withCapacity, withoutCapacity } from './capacity-condition.js';
import { guestSpec } from './guest-spec.js';
import { unstart, unstarted } from './start.js';

const PLACE_AGAIN_MS = 1_000;
/** The attempts of a clean-up after a failed provisioning, before it is left to the resync. */
const UNDO_ATTEMPTS = 5;
export const LEFT_FOR_CLEANUP = { host: { effect: 'leave-cleanup' }, patch: { host_id: null } } as const;

const place: Step = {
  name: 'place',
  state: 'pending',
  cancel: { by: 'ending' },
  async do(context) {
    const { vm } = context;
    if (vm.host_id !== null && !context.hostIsFenced()) return { then: 'next', detail: 'it has a host' };
    const { hostId, fits, explanation } = await context.place();
    const explained = { placement: explanation, detail: explanation.summary };
    if (hostId !== null) {
      // A fenced host counts as lost, and the disk with it. If it comes back, it removes its copy.
      const effect = vm.host_id === null ? ('reserve' as const) : ('move' as const);
      // Facts of another host have other numbers.
      const patch = { host_id: hostId, fact_epoch: 0, fact_seq: 0, conditions: placedConditions(vm) };
      return { then: 'next', host: { effect, hostId }, patch, ...explained };
    }
    const patch = withoutCapacity(vm, fits, explanation.summary, context.now());
    if (fits === 'never' || context.now() >= context.job.deadline)
      return { then: 'failed', code: 'no_capacity', ...(isRebuilt(context) ? {} : { patch }), ...explained };
    return { then: 'wait', ms: PLACE_AGAIN_MS, patch, ...explained };
  },
};

/** A placed VM has capacity, and is not on the unreachable host any more. */
function placedConditions(vm: VmRow): VmRow['conditions'] {
  return withoutCondition(withCapacity(vm).conditions ?? vm.conditions, HOST_UNREACHABLE);
}

/** Whether a stopped VM is still on its fenced host: a failure then leaves it unchanged. */
function isRebuilt({ vm, job }: LeasedJob): boolean {
  return vm.state === 'pending' && vm.host_id !== null && job.args.before === 'stopped';
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

/** Removes the VM from the host. A host that does not answer keeps a clean-up. */
export async function unprovision(context: StepContext): Promise<StepResult> {
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
    // A force-stop during the provisioning has changed the desired state.
    if (context.vm.desired_state === 'stopped') {
      return { then: 'done', patch: { state: 'stopped', stop_reason: 'not_started' } };
    }
    const answer = await context.send({ kind: 'start', spec: guestSpec(context.vm) });
    return onAnswer(context, answer, (reply) => ({ then: 'done', patch: running(reply) }));
  },
};

/** Creates a VM: finds a host and allocates its capacity, makes the disk, starts the guest. */
export const create: Operation = {
  kind: 'create',
  steps: [place, provision, start],
  overdue: waitedInVain,
  failed: ({ vm, job }, error) => {
    if (vm.state === 'starting') return unstarted(job.args, error);
    if (isRebuilt({ vm, job })) return { state: 'stopped', ...withCapacity(vm) };
    // A cancelled create does not wait for a host any more.
    return { state: 'error', ...(error.code === CANCELLED ? withCapacity(vm) : {}) };
  },
};

/** The failure of a create for which placement found no host by the deadline. */
function waitedInVain({ vm, job }: LeasedJob): StepResult | null {
  const missing = missingCapacity(vm);
  if (job.step !== place.name || !missing) return null;
  return { then: 'failed', code: 'no_capacity', detail: `No host had room in time: ${missing.message}` };
}
