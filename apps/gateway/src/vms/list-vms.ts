import { GROUPS } from '@novacron/cache/rules';
import { VmPage, vmsRpc } from '@novacron/contracts/vms';
import { defineRead } from '../reads/define-read.js';
import { queryId, question } from '../reads/question.js';
import { listParameters } from './parameters.js';

export const listVms = defineRead({
  id: 'listVms',
  path: '/api/v1/vms',
  tag: 'VMs',
  summary: 'List VMs',
  access: 'read',
  query: listParameters,
  lists: { state: 'comma', tag: 'repeat' },
  answer: { description: 'A page; pass `nextCursor` back as `cursor` for the next.', schema: VmPage },
  errors: [],
  ask: ({ query }) =>
    question(vmsRpc.list, query, { type: 'vm-list', id: queryId(query), group: GROUPS.vms }),
});
