import type { JobId } from '@novacron/contracts/ids';
import { databaseNow } from '../database/clock.js';
import type { Claim, PlaceDecision } from '../jobs/operation.js';
import type { VmRow } from '../vms/row.js';
import type { PlacementRequest } from '../hosts/host-view.js';
import { place } from './place.js';
import { needsOf } from './needs.js';
import type { HostSnapshot, Reservation } from '../hosts/snapshot.js';

/** The columns of a VM that decide where it can go. */
export type PlacedColumns = Pick<
  VmRow,
  'id' | 'tenant_id' | 'zone' | 'image' | 'cpu' | 'memory' | 'disk' | 'user_data' | 'ssh_keys'
>;

/** What a VM asks of a host. */
export function placementRequest(vm: PlacedColumns): PlacementRequest {
  return {
    vmId: vm.id,
    tenantId: vm.tenant_id,
    zone: vm.zone,
    image: vm.image,
    cpu: vm.cpu,
    memory: vm.memory,
    disk: vm.disk,
    needs: needsOf(vm),
  };
}

/** Places claims on the hosts of the snapshot, and keeps the room until the commit has said what became of it. */
export class Placer {
  readonly #reserved = new Map<JobId, Reservation>();

  constructor(private readonly snapshot: HostSnapshot) {}

  async place({ vm, job }: Claim): Promise<PlaceDecision> {
    if (!this.snapshot.ready) await this.snapshot.refresh();
    const request = placementRequest(vm);
    const decision = place(request, this.snapshot.hosts(), databaseNow());
    if (decision.hostId !== null) this.#reserved.set(job.id, this.snapshot.reserve(decision.hostId, request));
    return decision;
  }

  isFenced({ host_id }: Pick<VmRow, 'host_id'>): boolean {
    return host_id !== null && this.snapshot.host(host_id)?.state === 'fenced';
  }

  /** The step of this job was committed, or not. */
  settle(jobId: JobId, committed: boolean): void {
    const reservation = this.#reserved.get(jobId);
    if (!reservation) return;
    this.#reserved.delete(jobId);
    if (committed) reservation.committed();
    else reservation.release();
  }
}
