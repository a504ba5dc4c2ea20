/**
 * The VMs that changed since a time that a client remembers: the highest `updatedAt` of its answers.
 *
 * `updatedAt` is taken before the commit, so a change that waited for a lock is committed with a time that is older
 * than what clients have seen meanwhile. The relay numbers an event only after its commit, and `numbered_at` is the
 * database's time then. A change that a client could not see at time T was committed after T and numbered after T.
 * Its VM is therefore found by one of two conditions: the change was numbered soon after its `updatedAt`, which is
 * then at most LATE_S before T; or it is late, and `numbered_at` is after T.
 *
 * OVERLAP_S is how much further back both conditions look. It covers LATE_S, the time that the relay's own commit
 * takes (10 s at most), and clocks that differ a little. VMs of that time are shown again, which costs little.
 */
const LATE_S = 5;
const OVERLAP_S = 20;

/** Events of VMs that were numbered long after the time that they carry: few, so their index is small. */
export const IS_LATE = `kind = 'vm' AND numbered_at - at > interval '${LATE_S} seconds'`;

/** @param tenant SQL of the tenant's id; @param since SQL of the time. @returns a condition on `vms` */
export function changedSince(tenant: string, since: string): string {
  const from = `${since}::timestamptz - interval '${OVERLAP_S} seconds'`;
  // Each arm names its state, so that it fits the partial index of that state.
  return `((state <> 'deleted' AND updated_at >= ${from}) OR (state = 'deleted' AND updated_at >= ${from})
      OR id = ANY (ARRAY(SELECT resource_id::uuid FROM outbox
        WHERE tenant_id = ${tenant}::uuid::text AND ${IS_LATE} AND numbered_at >= ${from})))`;
}
