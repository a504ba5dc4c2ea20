import type { RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId } from '@novacron/contracts/ids';
import type { Job } from '@novacron/contracts/jobs';
import type { Database, Statement } from '@novacron/postgres/database';
import { servedBy, sessionFor } from '../database/read-session.js';
import { toJob, type JobRow } from './row.js';

export const READ_JOB: Statement = {
  name: 'job-read',
  text: 'SELECT * FROM jobs WHERE tenant_id = $1 AND id = $2',
};

/** @throws ServiceError not_found */
export async function getJob(db: Database, meta: RequestMeta, id: JobId): Promise<RpcReply<Job>> {
  const { job, at } = await readJobRow(db, meta, id);
  return { body: toJob(job), version: job.version, ...at };
}

/** @throws ServiceError not_found */
export async function readJobRow(db: Database, meta: RequestMeta, id: JobId) {
  const { tenantId } = meta;
  const found = await sessionFor(db, meta).query<JobRow>(READ_JOB, [tenantId, id], { tenantId });
  const job = found.rows[0];
  if (!job) throw new ServiceError('not_found', `There is no job ${id}`, { readAt: servedBy(found) });
  return { job, at: servedBy(found) };
}
