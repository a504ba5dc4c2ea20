import { GROUPS } from '@novacron/cache/rules';
import { getPlacement } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { implementRead } from '../http/route.js';
import { question } from '../reads/cacheable-query.js';

export const getPlacementRoute = implementRead(getPlacement, ({ params: { id } }) =>
  // A decision is committed with a step of the VM's job.
  question(vmsRpc.placement, { id }, { type: 'placement', id, group: GROUPS.jobs }),
);
