import { Injectable } from '@nestjs/common';
import { Relay } from '@novacron/outbox/relay';
import { TenantDatabase } from '@novacron/service-kit/inject';
import type { TenantId } from '@novacron/contracts/ids';
import { MOST_TAGS, type TagChanges, type Tags } from '@novacron/contracts/common';
import type { BodyOf, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { formatPosition } from '@novacron/contracts/position';
import type { Vm, vmsRpc } from '@novacron/contracts/vms';
import type { Database, Transaction } from '@novacron/postgres/database';
import { isUniqueViolation } from '@novacron/postgres/failure';
import { withRetry } from '@novacron/postgres/retry';
import { databaseNow } from '../database/clock.js';
import { changeVms } from '../vms/change.js';
import { requireVersion } from './if-match.js';
import { fresh } from '../vms/restart.js';
import { toVm, type VmRow } from '../vms/row.js';
import { LOCK_VM } from '../vms/statements.js';

type Body = BodyOf<typeof vmsRpc.patch>;

/** Changes name, tags and restart policy of VMs. */
@Injectable()
export class VmPatcher {
  constructor(
    @TenantDatabase() private readonly db: Database,
    private readonly relay: Relay,
  ) {}

  /**
   * Allowed until the VM is being deleted: no change touches the guest. A new policy counts restarts anew.
   * @throws ServiceError not_found, precondition_failed, name_taken; invalid_state when the VM is being deleted;
   *   invalid_request when the VM would have too many tags
   */
  async patch(meta: RequestMeta, body: Body): Promise<RpcReply<Vm>> {
    const { tenantId } = meta;
    try {
      const { result, position } = await withRetry(() =>
        this.db.transaction({ tenantId }, (tx) => write(tx, tenantId, body)),
      );
      this.relay.wake();
      return { body: toVm(result), version: result.version, position: formatPosition(position) };
    } catch (error) {
      if (isUniqueViolation(error, 'vms_by_name')) {
        throw new ServiceError('name_taken', `There is a VM named ${body.patch.name} already`);
      }
      throw error;
    }
  }
}

async function write(tx: Transaction, tenantId: TenantId, { id, patch, ifMatch }: Body): Promise<VmRow> {
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
