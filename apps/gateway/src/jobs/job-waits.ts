import { Job, jobsRpc } from '@novacron/contracts/jobs';
import type { Call } from '../reads/requester.js';
import type { Services } from '../http/services.js';
import { waitFor, type Waited, type Waiting } from '../waits/waits.js';

const ENDED: readonly Job['status'][] = ['succeeded', 'failed', 'cancelled'];

/** Waits until a job has ended, one way or another. See `waitFor`. */
export function waitForJob(
  call: Call,
  services: Services,
  id: Job['id'],
  timeoutMs: number,
  own: Pick<Waiting<Job>, 'slot' | 'known'>,
): Promise<Waited<Job>> {
  return waitFor<Job>(call, services, {
    kind: 'job',
    id,
    timeoutMs,
    ...own,
    read: async (deadlineMs) => (await call.ask(jobsRpc.get, { id }, deadlineMs)).body,
    decode: (data) => Job.safeParse(data).data ?? null,
    judge: (job) => (ENDED.includes(job.status) ? 'reached' : 'not_yet'),
  });
}
