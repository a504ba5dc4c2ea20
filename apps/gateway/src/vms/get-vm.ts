import { Vm, vmsRpc } from '@novacron/contracts/vms';
import { defineRead } from '../reads/define-read.js';
import { question } from '../reads/question.js';
import { vmParams } from './parameters.js';

export const getVm = defineRead({
  id: 'getVm',
  path: '/api/v1/vms/{id}',
  tag: 'VMs',
  summary: 'Get a VM',
  access: 'read',
  params: vmParams,
  answer: { description: 'The VM.', schema: Vm },
  errors: ['not_found'],
  ask: ({ params: { id } }) => question(vmsRpc.get, { id }, { type: 'vm', id }),
});
