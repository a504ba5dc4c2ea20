import { GROUPS } from '@novacron/cache/rules';
import { ServiceError } from '@novacron/contracts/errors';
import { JobId } from '@novacron/contracts/ids';
import { Job, JobListQuery, JobPage, jobsRpc } from '@novacron/contracts/jobs';
import { z } from 'zod';
import { defineRoute } from '../edge/route.js';
import { defineRead } from '../reads/define-read.js';
import { queryId, question } from '../reads/question.js';
import { timeoutParameter } from '../waits/parameters.js';
import { waitForJob } from './job-wait.js';

const jobParams = z.object({ id: JobId });
const tag = 'Jobs';

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
  ask: ({ query }) =>
    question(jobsRpc.list, query, { type: 'job-list', id: queryId(query), group: GROUPS.jobs }),
});

export const getJob = defineRead({
  id: 'getJob',
  path: '/api/v1/jobs/{id}',
  tag,
  summary: 'Get a job with the history of its steps',
  access: 'read',
  params: jobParams,
  answer: { description: 'The job.', schema: Job },
  errors: ['not_found'],
  ask: ({ params: { id } }) => question(jobsRpc.get, { id }, { type: 'job', id }),
});

export const waitForJobRoute = defineRoute({
  id: 'waitForJob',
  method: 'GET',
  path: '/api/v1/jobs/{id}/wait',
  tag,
  summary: 'Wait until a job has ended, one way or another',
  access: 'read',
  params: jobParams,
  query: z.strictObject({ timeout: timeoutParameter }),
  longLived: true,
  answers: { 200: { description: 'Ended: succeeded, failed or cancelled.', schema: Job, headers: ['ETag'] } },
  errors: ['not_found', 'wait_timeout', 'unreachable_state', 'too_many_waits'],
  async handle(call, services) {
    const slot = services.waits.take(call.caller);
    const { id } = call.params;
    const { outcome, current } = await waitForJob(call, services, id, call.query.timeout, { slot });
    if (outcome === 'reached') return { status: 200, body: current, version: current.version };
    if (outcome === 'timeout')
      throw new ServiceError('wait_timeout', `The job is ${current.status}, at ${current.step}.`);
    throw new ServiceError('unreachable_state', 'The job is no longer there.');
  },
});

export const cancelJob = defineRoute({
  id: 'cancelJob',
  method: 'POST',
  path: '/api/v1/jobs/{id}/actions/cancel',
  tag,
  summary: 'Cancel a job',
  description:
    'A job that nothing was done for yet ends at once. A step that can be undone (provision, start, pause, resume) is ' +
    'undone. A step that cannot be undone answers 409 with the reason.',
  access: 'operate',
  params: jobParams,
  answers: {
    200: { description: 'The job, cancelled.', schema: Job, headers: ['ETag', 'Idempotency-Replayed'] },
    202: {
      description:
        'The job while its step is undone. It ends in `cancelled`, or in `failed` if the undoing fails.',
      schema: Job,
      headers: ['Location', 'Idempotency-Replayed'],
    },
  },
  errors: ['not_found', 'job_not_cancellable'],
  async handle(call) {
    const job = (await call.ask(jobsRpc.cancel, call.params)).body;
    if (job.status === 'cancelled') return { status: 200, body: job, version: job.version };
    return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } };
  },
});

export const retryJob = defineRoute({
  id: 'retryJob',
  method: 'POST',
  path: '/api/v1/jobs/{id}/actions/retry',
  tag,
  summary: 'Try the work of a failed job again, as a new job',
  access: 'operate',
  params: jobParams,
  answers: {
    202: { description: 'The new job.', schema: Job, headers: ['Location', 'Idempotency-Replayed'] },
  },
  errors: ['not_found', 'vm_busy', 'invalid_state', 'quota_exceeded'],
  async handle(call) {
    const job = (await call.ask(jobsRpc.retry, call.params)).body;
    return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } };
  },
});

export const jobRoutes = [listJobs, getJob, waitForJobRoute, cancelJob, retryJob];
