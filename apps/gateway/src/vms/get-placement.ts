import { Placement, vmsRpc } from '@novacron/contracts/vms';
import { defineRoute } from '../edge/route.js';
import { vmParams } from './parameters.js';

export const getPlacement = defineRoute({
  id: 'getPlacement',
  method: 'GET',
  path: '/api/v1/vms/{id}/placement',
  tag: 'VMs',
  summary: 'Why a VM is where it is, or nowhere',
  access: 'read',
  params: vmParams,
  answers: { 200: { description: 'The last decision about its host.', schema: Placement } },
  errors: ['not_found'],
  async handle(call) {
    return { status: 200, body: (await call.ask(vmsRpc.placement, call.params)).body };
  },
});
