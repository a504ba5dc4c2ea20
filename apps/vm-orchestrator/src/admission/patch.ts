import { MOST_TAGS, type TagChanges, type Tags } from '@novacron/contracts/common';
import type { BodyOf, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { formatPosition } from '@novacron/contracts/position';
import type { Vm, vmsRpc } from '@novacron/contracts/vms';
import type { Database } from '@novacron/postgres/database';
import { isUniqueViolation } from '@novacron/postgres/failure';
import { retrying } from '@novacron/postgres/retry';
import { databaseNow } from '../database/clock.js';
import { changeVms } from '../vms/change.js';
import { requireVersion } from './if-match.js';
import { fresh } from '../vms/restart.js';
import { toVm, type VmRow } from '../vms/row.js';
import { LOCK_VM } from '../vms/statements.js';

/**
 * Changes name, tags and restart policy. Allowed until the VM is being deleted: none touches the guest. A new policy
 * counts restarts anew.
 * @throws ServiceError not_found, precondition_failed, name_taken; invalid_state when the VM is being deleted;
 *   invalid_request when the VM would have too many tags
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
        if (vm.state === 'deleting')
          throw new ServiceError('invalid_state', 'The VM is being deleted: nothing of it can be changed');
        const { restartPolicy } = patch;
        const change = {
          name: patch.name ?? vm.name,
          tags: patch.tags ?? withChanges(vm.tags, patch.tagChanges ?? {}),
          ...(restartPolicy ? { restart_policy: restartPolicy, ...fresh(vm) } : {}),
        };
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

/** A JSON Merge Patch of tags (RFC 7396). */
function withChanges(tags: Tags, changes: TagChanges): Tags {
  const kept = Object.entries({ ...tags, ...changes }).filter(([, value]) => value !== null);
  if (kept.length <= MOST_TAGS) return Object.fromEntries(kept) as Tags;
  const message = `at most ${MOST_TAGS} entries, not ${kept.length}`;
  throw new ServiceError('invalid_request', 'The VM would have too many tags', {
    errors: [{ path: '/tags', message }],
  });
}
