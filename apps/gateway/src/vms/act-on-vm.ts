import { OFFERED_ACTIONS, VM_ACTIONS, type VmAction } from '@novacron/vm-lifecycle/actions';
import { Job } from '@novacron/contracts/jobs';
import { ServiceError } from '@novacron/contracts/errors';
import { ActionOptions, Vm, vmsRpc } from '@novacron/contracts/vms';
import { z } from 'zod';
import { expectedVersion } from '../edge/etag.js';
import { preferredWait } from '../edge/prefer.js';
import { defineRoute } from '../edge/route.js';
import { waitForJob } from '../jobs/job-wait.js';
import { vmParams } from './parameters.js';

type Verb = Exclude<VmAction, 'delete'>;
const VERBS = VM_ACTIONS.filter((action): action is Verb => action !== 'delete');
export const OFFERED_VERBS = OFFERED_ACTIONS.filter((action) => action !== 'delete');

export const actOnVm = defineRoute({
  id: 'actOnVm',
  method: 'POST',
  path: '/api/v1/vms/{id}/actions/{verb}',
  tag: 'VMs',
  summary: 'Start, stop, reboot, pause, …',
  description: 'What a VM allows now is in its `allowedActions`. What its driver cannot do is refused.',
  access: 'operate',
  params: vmParams.extend({ verb: z.string().max(40).meta({ enum: OFFERED_VERBS }) }),
  body: ActionOptions,
  bodyIsOptional: true,
  headers: ['If-Match', 'Prefer'],
  answers: {
    200: {
      description: 'It is so already, or (with `Prefer: wait`) became so within the wait: the VM.',
      schema: Vm,
      headers: ['ETag', 'Idempotency-Replayed', 'Preference-Applied'],
    },
    202: {
      description: 'The job that leads there, which may have been in flight before.',
      schema: Job,
      headers: ['Location', 'Idempotency-Replayed', 'Preference-Applied'],
    },
  },
  errors: [
    'not_found',
    'vm_busy',
    'invalid_state',
    'precondition_failed',
    'capability_unsupported',
    'quota_exceeded',
  ],
  async handle(call, services) {
    const { id, verb } = call.params;
    if (!isVerb(verb))
      throw new ServiceError('not_found', `There is no action ${verb}: ${OFFERED_VERBS.join(', ')}.`);
    const ifMatch = expectedVersion(call.headers['if-match']);
    const expected = ifMatch === undefined ? {} : { ifMatch };
    const { vm, job } = (await call.ask(vmsRpc.act, { id, action: verb, options: call.body, ...expected }))
      .body;
    if (job === null) return { status: 200, body: vm, version: vm.version };

    const accepted = { status: 202, headers: { Location: `/api/v1/jobs/${job.id}` } };
    const seconds = preferredWait(call.headers.prefer);
    const slot = seconds === 0 ? null : services.waits.tryTake(call.caller);
    if (slot === null) return { ...accepted, body: job };
    const applied = { 'Preference-Applied': `wait=${seconds}` };
    const own = { slot, known: job };
    const { current } = await waitForJob(call, services, job.id, seconds * 1_000, own);
    if (current.status !== 'succeeded')
      return { status: 202, body: current, headers: { ...accepted.headers, ...applied } };
    // A VM that was deleted since is shown as that: the action had its effect all the same.
    const after = (await call.ask(vmsRpc.get, { id, tombstone: true })).body;
    return { status: 200, body: after, version: after.version, headers: applied };
  },
});

function isVerb(verb: string): verb is Verb {
  return (VERBS as readonly string[]).includes(verb);
}
