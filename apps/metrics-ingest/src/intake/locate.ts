import type { RequestMeta } from '@novacron/contracts/envelope';
import type { TenantId, VmId } from '@novacron/contracts/ids';
import { vmsRpc } from '@novacron/contracts/vms';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import type { Located } from './directory.js';

const LOCATE_MS = 2_000;

/** Nobody's tenant: the intake asks for itself. */
const SERVICE: RequestMeta = {
  tenantId: '00000000-0000-0000-0000-000000000000' as TenantId,
  principal: 'service:metrics-ingest',
  roles: [],
  remainingMs: LOCATE_MS,
  consistency: 'strong',
  minPosition: null,
};

/** Asks the orchestrator whose VMs these are; those that it does not know are left out. */
export function locateBy(rpc: RpcClient): (ids: string[]) => Promise<readonly Located[]> {
  return async (ids) => (await rpc.request(vmsRpc.locate, SERVICE, { ids: ids as VmId[] })).body;
}

/** Whether the orchestrator knows the VM as one of the tenant that asks. */
export function ownedBy(rpc: RpcClient): (meta: RequestMeta, vmId: string) => Promise<boolean> {
  const locate = locateBy(rpc);
  return async (meta, vmId) => (await locate([vmId])).some(({ tenantId }) => tenantId === meta.tenantId);
}
