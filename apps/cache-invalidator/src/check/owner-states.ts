import { Injectable } from '@nestjs/common';
import type { Inspected } from '@novacron/cache/l2-inspector';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId, VmId } from '@novacron/contracts/ids';
import { jobsRpc } from '@novacron/contracts/jobs';
import { vmsRpc } from '@novacron/contracts/vms';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { asTenant } from '../messages/request-meta.js';

/** A resource as its owner has it at or after a position; null: it does not exist. */
export type OwnerState = { readonly version: number; readonly body: unknown } | null;

/** Reads the present state of a sampled resource from the service that owns it. */
@Injectable()
export class OwnerStates {
  constructor(private readonly rpc: RpcClient) {}

  /**
   * Asks as the tenant, for a state at or after `position`; null: for the newest state.
   * @throws ServiceError when the owner does not answer
   */
  async read({ tenantId, type, id }: Inspected, position: string | null): Promise<OwnerState> {
    const causal = asTenant(tenantId, position);
    const meta = position === null ? { ...causal, consistency: 'strong' as const } : causal;
    try {
      const { body } =
        type === 'vm'
          ? await this.rpc.request(vmsRpc.get, meta, { id: id as VmId })
          : await this.rpc.request(jobsRpc.get, meta, { id: id as JobId });
      return { version: body.version, body };
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'not_found') return null;
      throw error;
    }
  }
}
