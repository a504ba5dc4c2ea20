import { Injectable } from '@nestjs/common';
import type { JobId } from '@novacron/contracts/ids';
import { databaseNow } from '../database/clock.js';
import type { VmRow } from '../vms/row.js';
import { place, type PlacementDecision } from './place.js';
import { placementRequest, type PlacedColumns } from './request.js';
import { HostSnapshot, type Reservation } from '../hosts/snapshot.js';

/** Places VMs on the hosts of the snapshot, and reserves the capacity until the commit has succeeded or failed. */
@Injectable()
export class Placer {
  readonly #reserved = new Map<JobId, Reservation>();

  constructor(private readonly snapshot: HostSnapshot) {}

  async place(vm: PlacedColumns, jobId: JobId): Promise<PlacementDecision> {
    if (!this.snapshot.ready) await this.snapshot.refresh();
    const request = placementRequest(vm);
    const decision = place(request, this.snapshot.hosts(), databaseNow());
    if (decision.hostId !== null) this.#reserved.set(jobId, this.snapshot.reserve(decision.hostId, request));
    return decision;
  }

  /** Reads the hosts again; false when the database cannot show them just now. */
  refresh(): Promise<boolean> {
    return this.snapshot.refresh().then(
      () => true,
      () => false,
    );
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
