import { newId, type JobId } from '@novacron/contracts/ids';
import { deadlineIn, taskOf } from './advance.js';
import { LEASE_MS } from './leases.js';
import type { LeasedJob, Operation } from './operation.js';
import type { JobArgs } from './args.js';
import type { JobRow } from './row.js';
import type { Statement } from '@novacron/postgres/database';
import type { VmRow } from '../vms/row.js';

/** A new job is leased to the process that writes it, when it has a slot free: then no worker has to find it. */
export const INSERT_JOBS: Statement = {
  name: 'jobs-insert',
  text: `INSERT INTO jobs (tenant_id, id, vm_id, kind, status, step, step_index, step_count, attempt, undoing, lease_owner,
      fence, deadline, args, history, version, created_at, updated_at, due_at)
    SELECT tenant_id, id, vm_id, kind, status, step, step_index, step_count, attempt, undoing, lease_owner,
      fence, deadline, args, history, version, created_at, updated_at,
      now() + CASE WHEN lease_owner IS NULL THEN interval '0' ELSE interval '${LEASE_MS / 1000} s' END
    FROM json_populate_recordset(null::jobs, $1)`,
};

/**
 * The job that leads a VM through an operation, and the VM with it as its task.
 *
 * @param vm as it will be when the job is written: its fence is the lease's
 * @param owner the process that works on it at once; null: the next one with a free slot
 */
export function newJob(
  vm: VmRow,
  operation: Operation,
  args: JobArgs,
  owner: string | null,
  now: Date,
): LeasedJob {
  const first = operation.steps[0];
  const job: JobRow = {
    tenant_id: vm.tenant_id,
    id: newId<JobId>(),
    vm_id: vm.id,
    kind: operation.kind,
    status: owner === null ? 'queued' : 'running',
    step: first.name,
    step_index: 0,
    step_count: operation.steps.length,
    attempt: 0,
    undoing: false,
    due_at: now,
    lease_owner: owner,
    fence: vm.fence,
    deadline: deadlineIn(vm.state, now),
    args,
    error: null,
    history: [],
    version: 1,
    created_at: now,
    updated_at: now,
  };
  return { vm: { ...vm, task: taskOf(job) }, job };
}
