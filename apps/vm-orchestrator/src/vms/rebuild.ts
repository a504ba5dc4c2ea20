import { ServiceError } from '@novacron/contracts/errors';
import type { Statement, Transaction } from '@novacron/postgres/database';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import type { HostSnapshot } from '../placement/snapshot.js';
import type { VmRow } from './row.js';

/** A simulated disk holds nothing, and one whose image is rebuildable nothing of its own. */
const REBUILDABLE: Statement = {
  name: 'vm-rebuildable',
  table: 'hosts',
  text: `SELECT h.driver = 'simulated' OR coalesce(i.rebuildable, false) AS rebuildable
    FROM hosts h LEFT JOIN images i ON i.name = $2 WHERE h.id = $1`,
};

/** Whether an action starts a VM that no work is under way for, whose host is fenced. */
export function startsElsewhere(action: VmAction, vm: Pick<VmRow, 'task'>, fenced: boolean): boolean {
  return action === 'start' && fenced && vm.task === null;
}

/**
 * Whether a start has to place its VM again and make its disk anew, since its host is fenced.
 * @throws ServiceError invalid_state when the disk holds what its image does not, or no other host of the zone has
 *   the image
 */
export async function mustRebuild(
  tx: Transaction,
  action: VmAction,
  vm: VmRow,
  snapshot: Pick<HostSnapshot, 'host' | 'hosts'>,
): Promise<boolean> {
  const host = vm.host_id === null ? undefined : snapshot.host(vm.host_id);
  if (!host || !startsElsewhere(action, vm, host.state === 'fenced')) return false;
  const { rows } = await tx.query<{ rebuildable: boolean }>(REBUILDABLE, [host.id, vm.image]);
  const neverRan = vm.incarnation === 0;
  if (!neverRan && !rows[0]?.rebuildable)
    throw lost(`image ${vm.image} is not rebuildable: the disk is on that host alone. Uncordon the host`);
  const others = snapshot.hosts().filter(({ zone, state }) => zone === vm.zone && state !== 'fenced');
  if (!others.some(({ images }) => images.includes(vm.image)))
    throw lost(`no other host of zone ${vm.zone} has the image ${vm.image} to make the disk anew`);
  return true;
}

function lost(why: string): ServiceError {
  return new ServiceError('invalid_state', `The VM's host is fenced, and ${why}`);
}
