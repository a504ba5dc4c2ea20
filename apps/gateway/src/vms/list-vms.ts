import { GROUPS } from '@novacron/cache/rules';
import { listVms } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { implementRead } from '../http/route.js';
import { queryId, question } from '../reads/cacheable-query.js';

export const listVmsRoute = implementRead(listVms, ({ query }) =>
  question(vmsRpc.list, query, { type: 'vm-list', id: queryId(query), group: GROUPS.vms }),
);
