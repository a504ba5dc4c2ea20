import { Injectable } from '@nestjs/common';
import type { RequestMeta } from '@novacron/contracts/envelope';
import type { TenantId, VmId } from '@novacron/contracts/ids';
import { vmsRpc } from '@novacron/contracts/vms';
import { RpcClient } from '@novacron/messaging/rpc-client';
import type { Located } from './directory.js';

const LOCATE_MS = 2_000;

/** The nil tenant: the service asks on its own behalf. */
const SERVICE: RequestMeta = {
  tenantId: '00000000-0000-0000-0000-000000000000' as TenantId,
  principal: 'service:metrics-ingest',
  roles: [],
  remainingMs: LOCATE_MS,
  consistency: 'strong',
  minPosition: null,
};

/** Asks the orchestrator for the tenant and host of VMs. */
@Injectable()
export class VmLocator {
  constructor(private readonly rpc: RpcClient) {}

  /** At most 1,000 VMs at a time. VMs that the orchestrator does not know are left out. */
  async locate(ids: readonly string[]): Promise<readonly Located[]> {
    return (await this.rpc.request(vmsRpc.locate, SERVICE, { ids: ids as VmId[] })).body;
  }

  /** Whether the orchestrator knows the VM as one of the tenant that asks. */
  async owns({ tenantId }: RequestMeta, vmId: string): Promise<boolean> {
    return (await this.locate([vmId])).some((located) => located.tenantId === tenantId);
  }
}
