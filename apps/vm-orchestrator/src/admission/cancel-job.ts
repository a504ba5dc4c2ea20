import { Injectable } from '@nestjs/common';
import { Relay } from '@novacron/outbox/relay';
import { TenantDatabase } from '@novacron/service-kit/inject';
import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId, TenantId } from '@novacron/contracts/ids';
import type { Job } from '@novacron/contracts/jobs';
import { formatPosition } from '@novacron/contracts/position';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { canTransition } from '@novacron/vm-lifecycle/states';
import { databaseNow } from '../database/clock.js';
import { operationOf } from '../operations/registry.js';
import { changeVms, type VmPatch } from '../vms/change.js';
import { once } from './idempotency.js';
import type { VmRow } from '../vms/row.js';
import { LOCK_VM } from '../vms/statements.js';
import { LIVE_JOB_FOR_UPDATE } from '../jobs/statements.js';
import { CANCELLED, left, taskOf, turnAround } from '../jobs/advance.js';
import { stableBefore } from '../jobs/args.js';
import { jobEvent } from '../jobs/commit.js';
import { Dispatcher } from '../jobs/dispatcher.js';
import type { Operation, Step } from '../jobs/operation.js';
import { READ_JOB } from '../jobs/statements.js';
import { LIVE, toJob, type JobRow } from '../jobs/row.js';

const CANCEL: Statement = {
  name: 'job-cancel',
  text: `UPDATE jobs SET (status, step, step_index, attempt, undoing, lease_owner, deadline, error, version, updated_at) =
      (x.status, x.step, x.step_index, x.attempt, x.undoing, NULL, x.deadline, x.error, x.version, x.updated_at),
      due_at = now()
    FROM json_populate_record(null::jobs, $3) x WHERE jobs.tenant_id = $1 AND jobs.id = $2`,
};

const ERROR = { code: CANCELLED, detail: 'cancelled by its owner' };

/** Cancels live jobs. */
@Injectable()
export class JobCanceller {
  constructor(
    @TenantDatabase() private readonly db: Database,
    private readonly relay: Relay,
    private readonly dispatcher: Dispatcher,
  ) {}

  /**
   * Cancels at once where nothing was begun, else by undoing the step that the job is at. A worker that is in the
   * middle of the step loses its lease, and its commit fails.
   * @returns the job, `cancelled` or on its way there
   * @throws ServiceError not_found, job_not_cancellable with the reason, and those of the idempotency key
   */
  async cancel(meta: RequestMeta, id: JobId): Promise<RpcReply<Job>> {
    const { tenantId } = meta;
    const { result, position } = await withRetry(() =>
      this.db.transaction({ tenantId }, (tx) =>
        once(tx, meta, async () => toJob(await cancel(tx, tenantId, id))),
      ),
    );
    this.relay.wake();
    this.dispatcher.wake(0);
    const { answer, replayed } = result;
    const reply = { body: answer, version: answer.version, position: formatPosition(position) };
    return replayed ? { ...reply, replayed } : reply;
  }
}

async function cancel(tx: Transaction, tenantId: TenantId, id: JobId): Promise<JobRow> {
  const seen = (await tx.query<JobRow>(READ_JOB, [tenantId, id])).rows[0];
  if (!seen) throw new ServiceError('not_found', `There is no job ${id}`);
  // The VM is locked before the job, as in every transaction.
  const vm = (await tx.query<VmRow>(LOCK_VM, [tenantId, seen.vm_id])).rows[0];
  const job = (await tx.query<JobRow>(LIVE_JOB_FOR_UPDATE, [tenantId, seen.vm_id])).rows[0];
  if (!vm || job?.id !== id)
    throw tooLate((await tx.query<JobRow>(READ_JOB, [tenantId, id])).rows[0] ?? seen);
  return write(tx, vm, job, databaseNow());
}

async function write(tx: Transaction, vm: VmRow, job: JobRow, now: Date): Promise<JobRow> {
  const { job: next, patch } = cancelled(vm, job, now);
  if (next === job) return job;
  await changeVms(tx, [{ row: vm, patch }], now);
  await tx.query(CANCEL, [job.tenant_id, job.id, JSON.stringify(next)]);
  if (!LIVE.includes(next.status)) await appendEvents(tx, [jobEvent(next)]);
  return next;
}

/**
 * What a cancel makes of a live job and its VM; the same job when it is being cancelled already. Pure.
 * @throws ServiceError job_not_cancellable
 */
export function cancelled(vm: VmRow, job: JobRow, now: Date): { job: JobRow; patch: VmPatch } {
  if (job.undoing && job.error?.code === CANCELLED) return { job, patch: {} };
  if (job.undoing) throw tooLate(job, 'it failed and is being undone');
  const operation = operationOf(job.kind) as Operation;
  const step = operation.steps[job.step_index] as Step;
  const bumped: JobRow = {
    ...job,
    error: ERROR,
    lease_owner: null,
    version: job.version + 1,
    updated_at: now,
  };
  const back = wayBack(vm, job);
  if (back !== null || step.cancel.by === 'ending') {
    const patch = { ...left(operation, vm, bumped, ERROR, now), ...back, task: null };
    return { job: { ...bumped, status: 'cancelled' }, patch };
  }
  if (step.cancel.by === 'nothing') throw tooLate(job, step.cancel.because);
  const undoing: JobRow = {
    ...turnAround(bumped, job.step_index, step.name, now),
    status: 'waiting',
    attempt: 0,
  };
  return { job: undoing, patch: { task: taskOf(undoing) } };
}

/** The VM's state before a job that no worker has begun; null when one has begun it, or when there is not a way back. */
function wayBack(vm: VmRow, job: JobRow): VmPatch | null {
  const before = stableBefore(job.args);
  if (job.status !== 'queued' || before === undefined) return null;
  if (before !== vm.state && !canTransition(vm.state, before)) return null;
  return { state: before, stop_reason: vm.stop_reason };
}

function tooLate(job: JobRow, because?: string): ServiceError {
  const why =
    because === undefined ? `is ${job.status}` : `is at step ${job.step} and it is too late: ${because}`;
  return new ServiceError('job_not_cancellable', `The job ${why}`);
}
