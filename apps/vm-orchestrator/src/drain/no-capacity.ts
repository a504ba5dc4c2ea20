import type { HostId } from '@novacron/contracts/ids';
import { databaseNow } from '../database/clock.js';
import type { HostView } from '../hosts/host-view.js';
import { place } from '../placement/place.js';
import { placementRequest, type PlacedColumns } from '../placement/request.js';
import type { HostSnapshot } from '../hosts/snapshot.js';

/**
 * Why no host but the drained one has capacity for a VM; null when one has. The answers are of one round: VMs with the
 * same needs share an answer, and the hosts are read for the first VM.
 */
export function noCapacityBeside(
  snapshot: Pick<HostSnapshot, 'hosts'>,
  drained: HostId,
): (vm: PlacedColumns) => string | null {
  const answers = new Map<string, string | null>();
  let others: readonly HostView[] | undefined;
  return (vm) => {
    const request = placementRequest(vm);
    const { zone, image, cpu, memory, disk, needs } = request;
    const shape = JSON.stringify([zone, image, cpu, memory, disk, needs]);
    const known = answers.get(shape);
    if (known !== undefined) return known;
    others ??= snapshot.hosts().filter(({ id }) => id !== drained);
    const { hostId, explanation } = place(request, others, databaseNow());
    const answer = hostId === null ? explanation.summary : null;
    answers.set(shape, answer);
    return answer;
  };
}
