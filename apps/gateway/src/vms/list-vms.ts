import { VmPage, vmsRpc } from '@novacron/contracts/vms';
import { defineRoute } from '../edge/route.js';
import { listParameters } from './parameters.js';

export const listVms = defineRoute({
  id: 'listVms',
  method: 'GET',
  path: '/api/v1/vms',
  tag: 'VMs',
  summary: 'List VMs',
  access: 'read',
  query: listParameters,
  lists: { state: 'comma', tag: 'repeat' },
  answers: {
    200: { description: 'A page; pass `nextCursor` back as `cursor` for the next.', schema: VmPage },
  },
  errors: [],
  async handle(call) {
    return { status: 200, body: (await call.ask(vmsRpc.list, call.query)).body };
  },
});
