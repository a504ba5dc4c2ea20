import { getVm } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { implementRead } from '../http/route.js';
import { question } from '../reads/cacheable-query.js';

export const getVmRoute = implementRead(getVm, ({ params: { id } }) =>
  question(vmsRpc.get, { id }, { type: 'vm', id }),
);
