import { z } from 'zod';
import { JobId } from '../ids.js';
import { Job, JobListQuery, JobPage } from '../jobs.js';
import { defineOperation, defineRead } from '../operation.js';
import { waitTimeout } from '../wait.js';

const tag = 'Jobs';
const params = z.object({ id: JobId });

export const listJobs = defineRead({
  id: 'listJobs',
  path: '/api/v1/jobs',
  tag,
  summary: 'List jobs',
  access: 'read',
  query: JobListQuery,
  lists: { status: 'comma' },
  answer: { description: 'A page, newest first.', schema: JobPage },
  errors: [],
});

export const getJob = defineRead({
  id: 'getJob',
  path: '/api/v1/jobs/{id}',
  tag,
  summary: 'Get a job with the history of its steps',
  access: 'read',
  params,
  answer: { description: 'The job.', schema: Job },
  errors: ['not_found'],
});

export const waitForJob = defineOperation({
  id: 'waitForJob',
  method: 'GET',
  path: '/api/v1/jobs/{id}/wait',
  tag,
  summary: 'Wait until a job has ended',
  access: 'read',
  params,
  query: z.strictObject({ timeout: waitTimeout }),
  longLived: true,
  answers: {
    200: {
      description: 'The job, which succeeded, failed or was cancelled.',
      schema: Job,
      headers: ['ETag'],
    },
  },
  errors: ['not_found', 'wait_timeout', 'unreachable_state', 'too_many_waits'],
});

export const cancelJob = defineOperation({
  id: 'cancelJob',
  method: 'POST',
  path: '/api/v1/jobs/{id}/actions/cancel',
  tag,
  summary: 'Cancel a job',
  description:
    'A job that has not begun ends at once. A step that can be undone (provision, start, pause, resume) is undone. At ' +
    'a step that cannot be undone, the request is refused with 409 and the reason.',
  access: 'operate',
  params,
  answers: {
    200: { description: 'The cancelled job.', schema: Job, headers: ['ETag', 'Idempotency-Replayed'] },
    202: {
      description:
        'The job, while its step is undone. It ends in `cancelled`, or in `failed` if the undo fails.',
      schema: Job,
      headers: ['Location', 'Idempotency-Replayed'],
    },
  },
  errors: ['not_found', 'job_not_cancellable'],
});

export const retryJob = defineOperation({
  id: 'retryJob',
  method: 'POST',
  path: '/api/v1/jobs/{id}/actions/retry',
  tag,
  summary: 'Retry a failed job as a new job',
  access: 'operate',
  params,
  answers: {
    202: { description: 'The new job.', schema: Job, headers: ['Location', 'Idempotency-Replayed'] },
  },
  errors: ['not_found', 'vm_busy', 'invalid_state', 'quota_exceeded'],
});
