import type { BodyOf, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { formatPosition } from '@novacron/contracts/position';
import type { Vm, vmsRpc } from '@novacron/contracts/vms';
import type { Database } from '@novacron/postgres/database';
import { isUniqueViolation } from '@novacron/postgres/failure';
import { retrying } from '@novacron/postgres/retry';
import { databaseNow } from '../clock.js';
import { changeVms } from './change.js';
import { requireVersion } from './if-match.js';
import { toVm, type VmRow } from './row.js';
import { LOCK_VM } from './statements.js';

/**
 * Changes name and tags. Allowed in every state: neither touches the guest.
 * @throws ServiceError not_found, precondition_failed, name_taken
 */
export async function patchVm(
  db: Database,
  meta: RequestMeta,
  { id, patch, ifMatch }: BodyOf<typeof vmsRpc.patch>,
): Promise<RpcReply<Vm>> {
  const { tenantId } = meta;
  try {
    const { result, position } = await retrying(() =>
      db.transaction({ tenantId }, async (tx) => {
        const { rows } = await tx.query<VmRow>(LOCK_VM, [tenantId, id]);
        const vm = rows[0];
        if (!vm || vm.state === 'deleted') throw new ServiceError('not_found', `There is no VM ${id}`);
        requireVersion(vm, ifMatch);
        const change = { name: patch.name ?? vm.name, tags: patch.tags ?? vm.tags };
        const [changed] = await changeVms(tx, [{ row: vm, patch: change }], databaseNow());
        return changed as VmRow;
      }),
    );
    return { body: toVm(result), version: result.version, position: formatPosition(position) };
  } catch (error) {
    if (isUniqueViolation(error, 'vms_by_name')) {
      throw new ServiceError('name_taken', `There is a VM named ${patch.name} already`);
    }
    throw error;
  }
}
