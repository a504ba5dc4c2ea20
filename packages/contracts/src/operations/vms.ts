import { OFFERED_ACTIONS } from '@novacron/vm-lifecycle/actions';
import { z } from 'zod';
import { TimestampInput, wholeNumber } from '../common.js';
import { VmId } from '../ids.js';
import { Job } from '../jobs.js';
import { defineOperation, defineRead } from '../operation.js';
import {
  ActionOptions,
  ConsoleLog,
  CreateVm,
  MergePatchVm,
  PatchVm,
  Placement,
  Vm,
  VmListQuery,
  VmPage,
  VmStateName,
} from '../vms.js';
import { waitTimeout } from '../wait.js';

const tag = 'VMs';

export const vmParams = z.object({ id: VmId });

export const createVm = defineOperation({
  id: 'createVm',
  method: 'POST',
  path: '/api/v1/vms',
  tag,
  summary: 'Create a VM',
  description: 'Answers as soon as the intent is durable; `task.jobId` names the job that builds the VM.',
  access: 'operate',
  body: CreateVm,
  headers: ['Prefer'],
  answers: {
    201: {
      description: 'Created.',
      schema: Vm,
      headers: ['Location', 'ETag', 'Idempotency-Replayed', 'Preference-Applied'],
    },
  },
  errors: ['name_taken', 'quota_exceeded', 'unknown_image', 'unknown_zone', 'capability_unsupported'],
});

export const listVms = defineRead({
  id: 'listVms',
  path: '/api/v1/vms',
  tag,
  summary: 'List VMs',
  access: 'read',
  // The orchestrator takes the same parameters, but only UTC with milliseconds for `updatedSince`.
  query: VmListQuery.extend({
    name: VmListQuery.shape.name.describe('Exactly this name.'),
    updatedSince: TimestampInput.optional().describe(
      'VMs that changed since then, deleted ones (`state` is `deleted`, kept for 30 days) among them. To keep a copy, ask ' +
        'with `sort=-updatedAt` and take `updatedAt` of the first item of the first page as the next `updatedSince`. No ' +
        'change is missed, also one that was committed late; VMs that changed up to 20 s before are shown again.',
    ),
  }),
  lists: { state: 'comma', tag: 'repeat' },
  answer: { description: 'A page; pass `nextCursor` back as `cursor` for the next.', schema: VmPage },
  errors: [],
});

export const getVm = defineRead({
  id: 'getVm',
  path: '/api/v1/vms/{id}',
  tag,
  summary: 'Get a VM',
  access: 'read',
  params: vmParams,
  answer: { description: 'The VM.', schema: Vm },
  errors: ['not_found'],
});

export const patchVm = defineOperation({
  id: 'patchVm',
  method: 'PATCH',
  path: '/api/v1/vms/{id}',
  tag,
  summary: 'Change name, tags or restart policy',
  description:
    '`tags` replaces all tags. As `application/merge-patch+json` (RFC 7396), tags that are not named stay, and null ' +
    'removes one. `restartPolicy` is replaced as a whole. `config` stays as it was created. A VM that is being deleted ' +
    'cannot be changed.',
  access: 'operate',
  params: vmParams,
  body: PatchVm,
  mergePatch: MergePatchVm,
  headers: ['If-Match'],
  answers: { 200: { description: 'The VM as it is now.', schema: Vm, headers: ['ETag'] } },
  errors: ['not_found', 'name_taken', 'invalid_state', 'precondition_failed'],
});

export const deleteVm = defineOperation({
  id: 'deleteVm',
  method: 'DELETE',
  path: '/api/v1/vms/{id}',
  tag,
  summary: 'Delete a VM',
  description: 'Wins over work in flight, and cannot be taken back.',
  access: 'operate',
  params: vmParams,
  headers: ['If-Match'],
  answers: {
    202: { description: 'The job that deletes it.', schema: Job, headers: ['Location'] },
    204: { description: 'It is deleted already.' },
  },
  errors: ['not_found', 'precondition_failed'],
});

/** The actions that {@link actOnVm} offers. `delete` has an operation of its own. */
export const OFFERED_VERBS = OFFERED_ACTIONS.filter((action) => action !== 'delete');

export const actOnVm = defineOperation({
  id: 'actOnVm',
  method: 'POST',
  path: '/api/v1/vms/{id}/actions/{verb}',
  tag,
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
});

export const waitForVm = defineOperation({
  id: 'waitForVm',
  method: 'GET',
  path: '/api/v1/vms/{id}/wait',
  tag,
  summary: 'Wait until a VM is in a state',
  access: 'read',
  params: vmParams,
  query: z.strictObject({
    state: z
      .enum([...VmStateName.options, 'settled', 'ready'])
      .describe(
        'A state; `settled`: no work in flight; `ready`: running, and the guest has reported that it is up (condition `GuestReady`).',
      ),
    timeout: waitTimeout,
  }),
  longLived: true,
  answers: { 200: { description: 'Reached: the VM.', schema: Vm, headers: ['ETag'] } },
  errors: ['not_found', 'wait_timeout', 'unreachable_state', 'too_many_waits'],
});

export const getConsoleLog = defineOperation({
  id: 'getConsoleLog',
  method: 'GET',
  path: '/api/v1/vms/{id}/console/log',
  tag,
  summary: "The end of a VM's serial console",
  description:
    'Plain text, or JSON where Accept asks for it. Less than `maxBytes` comes where control characters would make ' +
    'the answer too large.',
  access: 'read',
  params: vmParams,
  query: z.strictObject({ maxBytes: wholeNumber(1, 262_144).default(65_536) }),
  answers: {
    200: {
      description: 'The log.',
      schema: ConsoleLog,
      contentType: 'text/plain',
      headers: ['NovaCron-Truncated'],
    },
  },
  errors: ['not_found', 'invalid_state', 'capability_unsupported'],
});

export const getPlacement = defineRead({
  id: 'getPlacement',
  path: '/api/v1/vms/{id}/placement',
  tag,
  summary: 'Why a VM is where it is, or nowhere',
  access: 'read',
  params: vmParams,
  answer: { description: 'The last decision about its host.', schema: Placement },
  errors: ['not_found'],
});
