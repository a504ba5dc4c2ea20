import { GROUPS } from '@novacron/cache/rules';
import { Placement, vmsRpc } from '@novacron/contracts/vms';
import { defineRead } from '../reads/define-read.js';
import { question } from '../reads/question.js';
import { vmParams } from './parameters.js';

export const getPlacement = defineRead({
  id: 'getPlacement',
  path: '/api/v1/vms/{id}/placement',
  tag: 'VMs',
  summary: 'Why a VM is where it is, or nowhere',
  access: 'read',
  params: vmParams,
  answer: { description: 'The last decision about its host.', schema: Placement },
  errors: ['not_found'],
  // A decision is committed with a step of the VM's job.
  ask: ({ params: { id } }) =>
    question(vmsRpc.placement, { id }, { type: 'placement', id, group: GROUPS.jobs }),
});
