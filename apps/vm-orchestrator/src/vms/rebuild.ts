import { ServiceError } from '@novacron/contracts/errors';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import type { HostSnapshot } from '../placement/snapshot.js';
import type { VmRow } from './row.js';

/**
 * Whether a start has to place its VM again, since its host is fenced and its disk is gone with it.
 * @throws ServiceError invalid_state when no other host of the zone has its image
 */
export function rebuildOf(
  action: VmAction,
  vm: VmRow,
  snapshot: Pick<HostSnapshot, 'host' | 'hosts'>,
): { rebuild: boolean } {
  const host = vm.host_id === null ? undefined : snapshot.host(vm.host_id);
  if (action !== 'start' || host?.state !== 'fenced' || vm.task !== null) return { rebuild: false };
  const others = snapshot.hosts().filter(({ zone, state }) => zone === vm.zone && state !== 'fenced');
  if (others.some(({ images }) => images.includes(vm.image))) return { rebuild: true };
  throw new ServiceError(
    'invalid_state',
    `The VM's host is fenced and its disk is lost with it. No other host of zone ${vm.zone} has the image ${vm.image} to make it anew`,
  );
}
