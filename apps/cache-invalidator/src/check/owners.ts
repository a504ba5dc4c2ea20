import type { Inspected } from '@novacron/cache/l2-inspector';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId, VmId } from '@novacron/contracts/ids';
import { jobsRpc } from '@novacron/contracts/jobs';
import { vmsRpc } from '@novacron/contracts/vms';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import { asTenant } from '../messages/request-meta.js';
import type { Truth } from './judge.js';

/** Asks the owning service, as the tenant. @throws ServiceError when it does not answer */
export function ownersBy(rpc: RpcClient): (sample: Inspected, position: string | null) => Promise<Truth> {
  return async ({ tenantId, type, id }, position) => {
    const meta = asTenant(tenantId, position);
    const asked = position === null ? { ...meta, consistency: 'strong' as const } : meta;
    try {
      const { body } =
        type === 'vm'
          ? await rpc.request(vmsRpc.get, asked, { id: id as VmId })
          : await rpc.request(jobsRpc.get, asked, { id: id as JobId });
      return { version: body.version, body };
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'not_found') return null;
      throw error;
    }
  };
}
