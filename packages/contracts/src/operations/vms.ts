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
  description: 'Answers as soon as the intent is durable. `task.jobId` names the job that creates the VM.',
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
      'VMs that changed since then. Deleted VMs (`state` is `deleted`) are included for 30 days. To keep a copy, send ' +
        '`sort=-updatedAt` and use `updatedAt` of the first item of the first page as the next `updatedSince`. No change ' +
        'is missed, even one that was committed late. VMs that changed up to 20 s earlier are shown again.',
    ),
  }),
  lists: { state: 'comma', tag: 'repeat' },
  answer: { description: 'A page. `nextCursor` is the `cursor` of the next page.', schema: VmPage },
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
    '`tags` replaces all tags. In an `application/merge-patch+json` body (RFC 7396), tags that are not named stay, and ' +
    'null removes a tag. `restartPolicy` is replaced as a whole. `config` cannot be changed. A VM that is being deleted ' +
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
  description: 'Takes precedence over work in flight, and cannot be undone.',
  access: 'operate',
  params: vmParams,
  headers: ['If-Match'],
  answers: {
    202: { description: 'The job that deletes it.', schema: Job, headers: ['Location'] },
    204: { description: 'The VM is already deleted.' },
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
  description:
    '`allowedActions` of a VM lists the actions that it accepts now. An action without support by the driver is refused.',
  access: 'operate',
  params: vmParams.extend({ verb: z.string().max(40).meta({ enum: OFFERED_VERBS }) }),
  body: ActionOptions,
  bodyIsOptional: true,
  headers: ['If-Match', 'Prefer'],
  answers: {
    200: {
      description: 'The VM, when the intent was already true, or became true within `Prefer: wait`.',
      schema: Vm,
      headers: ['ETag', 'Idempotency-Replayed', 'Preference-Applied'],
    },
    202: {
      description: 'The job of the action. It may have been in flight before.',
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
        'A state, `settled` (no work in flight), or `ready` (running, and the guest has reported that it is up: condition `GuestReady`).',
      ),
    timeout: waitTimeout,
  }),
  longLived: true,
  answers: { 200: { description: 'The VM, in the requested state.', schema: Vm, headers: ['ETag'] } },
  errors: ['not_found', 'wait_timeout', 'unreachable_state', 'too_many_waits'],
});

export const getConsoleLog = defineOperation({
  id: 'getConsoleLog',
  method: 'GET',
  path: '/api/v1/vms/{id}/console/log',
  tag,
  summary: "The end of a VM's serial console",
  description:
    'Plain text, or JSON where Accept prefers it. The log is shorter than `maxBytes` where control characters would ' +
    'make the answer too large.',
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
  summary: 'Explain the last placement of a VM',
  access: 'read',
  params: vmParams,
  answer: { description: 'The last placement decision.', schema: Placement },
  errors: ['not_found'],
});
