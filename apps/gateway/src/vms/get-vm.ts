import { Vm, vmsRpc } from '@novacron/contracts/vms';
import { noneMatch } from '../edge/etag.js';
import { defineRoute } from '../edge/route.js';
import { vmParams } from './parameters.js';

export const getVm = defineRoute({
  id: 'getVm',
  method: 'GET',
  path: '/api/v1/vms/{id}',
  tag: 'VMs',
  summary: 'Get a VM',
  access: 'read',
  params: vmParams,
  headers: ['If-None-Match'],
  answers: {
    200: { description: 'The VM.', schema: Vm, headers: ['ETag'] },
    304: { description: 'Still the version of If-None-Match.', headers: ['ETag'] },
  },
  errors: ['not_found'],
  async handle(call) {
    const vm = (await call.ask(vmsRpc.get, call.params)).body;
    if (!noneMatch(call.headers['if-none-match'], vm.version)) return { status: 304, version: vm.version };
    return { status: 200, body: vm, version: vm.version };
  },
});
