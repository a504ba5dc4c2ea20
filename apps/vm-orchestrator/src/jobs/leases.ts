import type { JobId, VmId } from '@novacron/contracts/ids';
import type { Database, Statement } from '@novacron/postgres/database';
import type { VmRow } from '../vms/row.js';
import type { LeasedJob } from './operation.js';
import type { JobRow } from './row.js';

/** How long a worker may hold a job without committing a step; then another one runs the step again. */
export const LEASE_MS = 30_000;

const LEASE: Statement = {
  name: 'jobs-claim',
  table: 'jobs',
  // SKIP LOCKED on both rows: a lease never waits for a user's action on the VM, nor the other way round.
  text: `WITH due AS (
      SELECT j.id, j.vm_id FROM jobs j JOIN vms v ON v.tenant_id = j.tenant_id AND v.id = j.vm_id
      WHERE j.status IN ('queued', 'running', 'waiting') AND j.due_at <= now()
      ORDER BY j.due_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ), fenced AS (
      UPDATE vms SET fence = fence + 1 FROM due WHERE vms.id = due.vm_id RETURNING vms.id, vms.fence
    )
    UPDATE jobs SET lease_owner = $1, status = 'running', fence = fenced.fence,
      due_at = now() + make_interval(secs => ${LEASE_MS / 1000})
    FROM fenced WHERE jobs.vm_id = fenced.id AND jobs.id IN (SELECT id FROM due)
    RETURNING jobs.id, jobs.vm_id`,
};

const LOAD_VMS: Statement = { name: 'jobs-load-vms', text: 'SELECT * FROM vms WHERE id = ANY($1)' };
const LOAD_JOBS: Statement = { name: 'jobs-load-jobs', text: 'SELECT * FROM jobs WHERE id = ANY($1)' };

/** Leases up to `limit` due jobs to `owner`, each with a new fence. */
export async function leaseDue(db: Database, owner: string, limit: number): Promise<LeasedJob[]> {
  const { results } = await db.primary.batch({}, [{ statement: LEASE, params: [owner, limit] }]);
  const due = (results[0]?.rows ?? []) as unknown as { id: JobId; vm_id: VmId }[];
  return due.length === 0 ? [] : load(db, due);
}

/** The load observes a patch that a user made since the lease; the commit locks and reads again anyway. */
async function load(db: Database, due: readonly { id: JobId; vm_id: VmId }[]): Promise<LeasedJob[]> {
  const { results } = await db.primary.read({}, [
    { statement: LOAD_VMS, params: [due.map((job) => job.vm_id)] },
    { statement: LOAD_JOBS, params: [due.map((job) => job.id)] },
  ]);
  const vms = new Map((results[0]?.rows as unknown as VmRow[]).map((vm) => [vm.id, vm]));
  return (results[1]?.rows as unknown as JobRow[]).flatMap((job) => {
    const vm = vms.get(job.vm_id);
    return vm ? [{ vm, job }] : [];
  });
}

/** Makes waiting jobs due at once: what they waited for has come. */
export const WAKE: Statement = {
  name: 'jobs-wake',
  text: `UPDATE jobs SET due_at = now() WHERE id = ANY($1) AND status = 'waiting' AND due_at > now()`,
};

const RELEASE: Statement = {
  name: 'jobs-let-go',
  table: 'jobs',
  text: `UPDATE jobs SET due_at = now() FROM unnest($2::uuid[], $3::bigint[]) AS held(id, fence)
    WHERE jobs.id = held.id AND jobs.fence = held.fence AND jobs.lease_owner = $1 AND jobs.status = 'running'`,
};

/** Releases leases before they end. The worker that takes a job next runs its step again. */
export async function releaseLeases(
  db: Database,
  owner: string,
  leased: readonly LeasedJob[],
): Promise<void> {
  const params = [owner, leased.map(({ job }) => job.id), leased.map(({ job }) => job.fence)];
  await db.primary.batch({}, [{ statement: RELEASE, params }]);
}
