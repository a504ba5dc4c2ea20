import { CreateVm, Vm, vmsRpc } from '@novacron/contracts/vms';
import { preferredWait } from '../edge/prefer.js';
import { defineRoute } from '../edge/route.js';
import { waitForVm } from './vm-wait.js';

export const createVm = defineRoute({
  id: 'createVm',
  method: 'POST',
  path: '/api/v1/vms',
  tag: 'VMs',
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
  async handle(call, services) {
    const created = (await call.ask(vmsRpc.create, call.body)).body;
    const seconds = preferredWait(call.headers.prefer);
    // The VM exists now: a wait that may not begin is left out, as RFC 7240 §2 allows.
    const slot = seconds === 0 ? null : services.waits.tryTake(call.caller);
    const own = slot && { slot, known: created };
    const vm =
      own === null
        ? created
        : (await waitForVm(call, services, created.id, 'settled', seconds * 1_000, own)).current;
    return {
      status: 201,
      body: vm,
      version: vm.version,
      headers: {
        Location: `/api/v1/vms/${vm.id}`,
        ...(own === null ? {} : { 'Preference-Applied': `wait=${seconds}` }),
      },
    };
  },
});
