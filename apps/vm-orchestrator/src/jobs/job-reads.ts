import { Injectable } from '@nestjs/common';
import type { RawReply, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { JobId } from '@novacron/contracts/ids';
import type { Job, JobListQuery } from '@novacron/contracts/jobs';
import type { Database } from '@novacron/postgres/database';
import { TenantDatabase } from '@novacron/service-kit/inject';
import { servedBy, sessionFor } from '../database/read-session.js';
import { listJobs } from './list.js';
import { toJob, type JobRow } from './row.js';
import { READ_JOB } from './statements.js';

/** Reads jobs, from a replica where the caller's position allows. */
@Injectable()
export class JobReads {
  constructor(@TenantDatabase() private readonly db: Database) {}

  list(meta: RequestMeta, query: JobListQuery): Promise<RawReply> {
    return listJobs(this.db, meta, query);
  }

  /** @throws ServiceError not_found */
  async get(meta: RequestMeta, id: JobId): Promise<RpcReply<Job>> {
    const { job, at } = await this.row(meta, id);
    return { body: toJob(job), version: job.version, ...at };
  }

  /** @throws ServiceError not_found */
  async row(meta: RequestMeta, id: JobId) {
    const { tenantId } = meta;
    const found = await sessionFor(this.db, meta).query<JobRow>(READ_JOB, [tenantId, id], { tenantId });
    const job = found.rows[0];
    if (!job) throw new ServiceError('not_found', `There is no job ${id}`, { readAt: servedBy(found) });
    return { job, at: servedBy(found) };
  }
}
