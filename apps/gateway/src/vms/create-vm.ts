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
    const vm =
      seconds === 0
        ? created
        : (await waitForVm(call, services, created.id, 'settled', seconds * 1_000)).current;
    return {
      status: 201,
      body: vm,
      version: vm.version,
      headers: {
        Location: `/api/v1/vms/${vm.id}`,
        ...(seconds === 0 ? {} : { 'Preference-Applied': `wait=${seconds}` }),
      },
    };
  },
});
