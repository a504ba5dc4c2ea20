import { PatchVm, Vm, vmsRpc } from '@novacron/contracts/vms';
import { expectedVersion } from '../edge/etag.js';
import { defineRoute } from '../edge/route.js';
import { vmParams } from './parameters.js';

export const patchVm = defineRoute({
  id: 'patchVm',
  method: 'PATCH',
  path: '/api/v1/vms/{id}',
  tag: 'VMs',
  summary: 'Change name or tags',
  description: '`tags` replaces all tags. `config` stays as it was created.',
  access: 'operate',
  params: vmParams,
  body: PatchVm,
  headers: ['If-Match'],
  answers: { 200: { description: 'The VM as it is now.', schema: Vm, headers: ['ETag'] } },
  errors: ['not_found', 'name_taken', 'invalid_state', 'precondition_failed'],
  async handle(call) {
    const ifMatch = expectedVersion(call.headers['if-match']);
    const expected = ifMatch === undefined ? {} : { ifMatch };
    const vm = (await call.ask(vmsRpc.patch, { id: call.params.id, patch: call.body, ...expected })).body;
    return { status: 200, body: vm, version: vm.version };
  },
});
