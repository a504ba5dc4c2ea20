import { GROUPS } from '@novacron/cache/rules';
import type { VmId } from '@novacron/contracts/ids';
import type { InputOf } from '@novacron/contracts/operation';
import type { listVms } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { cacheableQuery, queryId, type CacheableQuery } from '../reads/cacheable-query.js';

export function vmQuery(id: VmId): CacheableQuery {
  return cacheableQuery(vmsRpc.get, { id }, { type: 'vm', id });
}

export function vmListQuery(query: InputOf<typeof listVms>['query']): CacheableQuery {
  return cacheableQuery(vmsRpc.list, query, { type: 'vm-list', id: queryId(query), group: GROUPS.vms });
}

/** A placement is committed with a step of the VM's job. */
export function placementQuery(id: VmId): CacheableQuery {
  return cacheableQuery(vmsRpc.placement, { id }, { type: 'placement', id, group: GROUPS.jobs });
}
