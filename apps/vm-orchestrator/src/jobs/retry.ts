import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId } from '@novacron/contracts/ids';
import type { Job } from '@novacron/contracts/jobs';
import type { Database } from '@novacron/postgres/database';
import type { Actor } from '../vms/act.js';
import { getJob } from './read.js';

/**
 * Does again what a job failed to do. A retry is a new job, so that nothing the old one left behind (a
 * remembered command, a fence) can answer for it.
 * @throws ServiceError not_found, invalid_state when it did not fail, and those of the action
 */
export async function retryJob(
  db: Database,
  actor: Actor,
  meta: RequestMeta,
  id: JobId,
): Promise<RpcReply<Job>> {
  const { body: job } = await getJob(db, { ...meta, consistency: 'strong' }, id);
  if (job.status !== 'failed' && job.status !== 'cancelled') {
    throw new ServiceError('invalid_state', `The job is ${job.status}: only what failed can be retried`);
  }
  const action = job.kind === 'create' ? 'retry' : (job.kind as Parameters<Actor['act']>[1]['action']);
  const reply = await actor.act(meta, { id: job.vmId, action, options: { graceSeconds: 30 } });
  const { job: next } = reply.body;
  if (!next)
    throw new ServiceError(
      'invalid_state',
      `What the job was to do is so already: the VM is ${reply.body.vm.state}`,
    );
  return { ...reply, body: next, version: next.version };
}
