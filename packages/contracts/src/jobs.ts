import { z } from 'zod';
import { OFFERED_ACTIONS, type VmAction } from '@novacron/vm-lifecycle/actions';
import { Detail, pageOf, pageQuery, Term, Timestamp } from './common.js';
import { defineRpc } from './envelope.js';
import { JobId, TenantId, VmId } from './ids.js';

export const JobStatus = z.enum(['queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled']);
export type JobStatus = z.infer<typeof JobStatus>;

/** One run of one step, as users read it. */
export const JobStepRun = z.object({
  step: Term,
  attempt: z.number().int(),
  outcome: z.enum(['next', 'wait', 'done', 'failed', 'undone']),
  detail: Detail.nullable(),
  startedAt: Timestamp,
  endedAt: Timestamp,
});
export type JobStepRun = z.infer<typeof JobStepRun>;

export const JOB_HISTORY_LIMIT = 100;

export const Job = z.object({
  id: JobId,
  tenantId: TenantId,
  vmId: VmId,
  kind: Term,
  status: JobStatus,
  step: Term,
  stepIndex: z.number().int(),
  stepCount: z.number().int(),
  /** Counts the runs of the current step. */
  attempt: z.number().int(),
  error: z.object({ code: Term, detail: Detail }).nullable(),
  /** The last {@link JOB_HISTORY_LIMIT} runs. */
  history: z.array(JobStepRun).max(JOB_HISTORY_LIMIT),
  deadline: Timestamp,
  createdAt: Timestamp,
  updatedAt: Timestamp,
  version: z.number().int(),
});
export type Job = z.infer<typeof Job>;

export const JobPage = pageOf(Job);
/** The kind of a job: it creates a VM, or carries out an action. */
export const JobKind = z.enum(['create', ...OFFERED_ACTIONS] as ['create', ...VmAction[]]);

export const JobListQuery = z.strictObject({
  ...pageQuery,
  vmId: VmId.optional(),
  status: z.array(JobStatus).max(6).optional(),
  kind: JobKind.optional(),
});
export type JobListQuery = z.infer<typeof JobListQuery>;

const one = z.object({ id: JobId });
export const jobsRpc = {
  list: defineRpc('rpc.orchestrator.jobs.list', JobListQuery, JobPage, 'paged'),
  get: defineRpc('rpc.orchestrator.jobs.get', one, Job, 'bounded'),
  cancel: defineRpc('rpc.orchestrator.jobs.cancel', one, Job, 'bounded'),
  retry: defineRpc('rpc.orchestrator.jobs.retry', one, Job, 'bounded'),
};
