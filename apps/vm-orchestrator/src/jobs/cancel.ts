import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId } from '@novacron/contracts/ids';
import type { Job } from '@novacron/contracts/jobs';
import { formatPosition } from '@novacron/contracts/position';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import { retrying } from '@novacron/postgres/retry';
import { changeVms } from '../vms/change.js';
import type { VmRow } from '../vms/row.js';
import { LOCK_VM } from '../vms/statements.js';
import { jobEvent } from './commit.js';
import { READ_JOB } from './read.js';
import { LIVE, toJob, type JobRow } from './row.js';

const CANCEL: Statement = {
  name: 'job-cancel',
  text: `UPDATE jobs SET status = 'cancelled', lease_owner = NULL, updated_at = $3, version = version + 1,
      error = '{"code": "cancelled", "detail": "cancelled by its owner"}'
    WHERE tenant_id = $1 AND id = $2 AND status IN ('queued', 'running', 'waiting') RETURNING *`,
};

/**
 * Cancels a create that has no host yet: nothing was done that would have to be undone. Later, and for other
 * operations, force-stop and delete are the way.
 * @throws ServiceError not_found, job_not_cancellable
 */
export async function cancelJob(db: Database, meta: RequestMeta, id: JobId): Promise<RpcReply<Job>> {
  const { tenantId } = meta;
  const { result, position } = await retrying(() =>
    db.transaction({ tenantId }, async (tx) => {
      const seen = (await tx.query<JobRow>(READ_JOB, [tenantId, id])).rows[0];
      if (!seen) throw new ServiceError('not_found', `There is no job ${id}`);
      // The VM's lock comes before the job's, as everywhere.
      const vm = (await tx.query<VmRow>(LOCK_VM, [tenantId, seen.vm_id])).rows[0];
      if (vm?.task?.jobId !== id || vm.state !== 'pending') throw notCancellable(seen);
      const now = new Date();
      const job = (await tx.query<JobRow>(CANCEL, [tenantId, id, now])).rows[0];
      if (!job) throw notCancellable(seen);
      const lastError = { code: 'cancelled', detail: 'its creation was cancelled', at: now.toISOString() };
      await changeVms(tx, [{ row: vm, patch: { state: 'error', task: null, last_error: lastError } }], now);
      await appendEvents(tx, [jobEvent(job)]);
      return job;
    }),
  );
  return { body: toJob(result), version: result.version, position: formatPosition(position) };
}

function notCancellable(job: JobRow): ServiceError {
  const why = LIVE.includes(job.status)
    ? `is at step ${job.step}: force-stop or delete the VM`
    : `is ${job.status}`;
  return new ServiceError('job_not_cancellable', `The job ${why}`);
}
