import type { JobId, TenantId, VmId } from '@novacron/contracts/ids';
import type { Job, JobStatus, JobStepRun } from '@novacron/contracts/jobs';
import type { JobKind } from '../vms/row.js';
import type { JobArgs } from './args.js';

/** A `queued` job was never leased, so that no step of it was begun. */
export const LIVE: readonly JobStatus[] = ['queued', 'running', 'waiting'];

/** A row of `jobs`. */
export interface JobRow {
  tenant_id: TenantId;
  id: JobId;
  vm_id: VmId;
  kind: JobKind;
  status: JobStatus;
  step: string;
  step_index: number;
  step_count: number;
  attempt: number;
  undoing: boolean;
  due_at: Date;
  lease_owner: string | null;
  fence: number;
  deadline: Date;
  args: JobArgs;
  error: { code: string; detail: string } | null;
  history: JobStepRun[];
  version: number;
  created_at: Date;
  updated_at: Date;
}

export function toJob(row: JobRow): Job {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    vmId: row.vm_id,
    kind: row.kind,
    status: row.status,
    step: row.step,
    stepIndex: row.step_index,
    stepCount: row.step_count,
    attempt: row.attempt,
    error: row.error,
    history: row.history,
    deadline: row.deadline.toISOString(),
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    version: row.version,
  };
}
