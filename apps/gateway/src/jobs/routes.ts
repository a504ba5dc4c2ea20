import { GROUPS } from '@novacron/cache/rules';
import { ServiceError } from '@novacron/contracts/errors';
import { jobsRpc } from '@novacron/contracts/jobs';
import { cancelJob, getJob, listJobs, retryJob, waitForJob } from '@novacron/contracts/operations/jobs';
import { implement, implementRead } from '../http/route.js';
import { queryId, question } from '../reads/cacheable-query.js';
import { waitForJob as waitUntilEnded } from './job-waits.js';

const listJobsRoute = implementRead(listJobs, ({ query }) =>
  question(jobsRpc.list, query, { type: 'job-list', id: queryId(query), group: GROUPS.jobs }),
);

const getJobRoute = implementRead(getJob, ({ params: { id } }) =>
  question(jobsRpc.get, { id }, { type: 'job', id }),
);

const waitForJobRoute = implement(waitForJob, async (call, services) => {
  const slot = services.waits.take(call.caller);
  const { id } = call.params;
  const { outcome, current } = await waitUntilEnded(call, services, id, call.query.timeout, { slot });
  if (outcome === 'reached') return { status: 200, body: current, version: current.version };
  if (outcome === 'timeout')
    throw new ServiceError('wait_timeout', `The job is ${current.status}, at ${current.step}.`);
  throw new ServiceError('unreachable_state', 'The job is no longer there.');
});

const cancelJobRoute = implement(cancelJob, async (call) => {
  const job = (await call.ask(jobsRpc.cancel, call.params)).body;
  if (job.status === 'cancelled') return { status: 200, body: job, version: job.version };
  return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } };
});

const retryJobRoute = implement(retryJob, async (call) => {
  const job = (await call.ask(jobsRpc.retry, call.params)).body;
  return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } };
});

export const jobRoutes = [listJobsRoute, getJobRoute, waitForJobRoute, cancelJobRoute, retryJobRoute];
