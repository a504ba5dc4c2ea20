import { ServiceError } from '@novacron/contracts/errors';
import type { Statement, Transaction } from '@novacron/postgres/database';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import type { HostSnapshot } from '../hosts/snapshot.js';
import type { VmRow } from '../vms/row.js';

/**
 * SQL: whether a VM may get a new disk on another host, of `vms v` with its `hosts h` and, perhaps missing, its
 * `images i`. A simulated disk has no data, nor has one that no guest has run on. A disk of a rebuildable image has no
 * data of its own.
 */
export const REBUILDABLE = `(h.driver = 'simulated' OR v.incarnation = 0 OR coalesce(i.rebuildable, false))`;

const IS_REBUILDABLE: Statement = {
  name: 'vm-rebuildable',
  table: 'vms',
  text: `SELECT ${REBUILDABLE} AS rebuildable FROM vms v JOIN hosts h ON h.id = v.host_id
    LEFT JOIN images i ON i.name = v.image WHERE v.tenant_id = $1 AND v.id = $2`,
};

/** Whether an action starts a VM on a fenced host while no job of it is live. */
export function startsElsewhere(action: VmAction, vm: Pick<VmRow, 'task'>, fenced: boolean): boolean {
  return action === 'start' && fenced && vm.task === null;
}

/**
 * Whether a start has to place its VM again with a new disk, because its host is fenced.
 * @throws ServiceError invalid_state when the disk has data of its own, or no other host of the zone has the image
 */
export async function mustRebuild(
  tx: Transaction,
  action: VmAction,
  vm: VmRow,
  snapshot: Pick<HostSnapshot, 'host' | 'hosts'>,
): Promise<boolean> {
  const host = vm.host_id === null ? undefined : snapshot.host(vm.host_id);
  if (!host || !startsElsewhere(action, vm, host.state === 'fenced')) return false;
  const { rows } = await tx.query<{ rebuildable: boolean }>(IS_REBUILDABLE, [vm.tenant_id, vm.id]);
  if (!rows[0]?.rebuildable)
    throw lost(`image ${vm.image} is not rebuildable: the disk is on that host alone. Uncordon the host`);
  const others = snapshot.hosts().filter(({ zone, state }) => zone === vm.zone && state !== 'fenced');
  if (!others.some(({ images }) => images.includes(vm.image)))
    throw lost(`no other host of zone ${vm.zone} has the image ${vm.image} to make the disk anew`);
  return true;
}

function lost(why: string): ServiceError {
  return new ServiceError('invalid_state', `The VM's host is fenced, and ${why}`);
}
