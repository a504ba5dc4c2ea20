import { Controller } from '@nestjs/common';
import { GROUPS } from '@novacron/cache/rules';
import { jobsRpc, type Job } from '@novacron/contracts/jobs';
import type { InputOf } from '@novacron/contracts/operation';
import { cancelJob, getJob, listJobs, retryJob, waitForJob } from '@novacron/contracts/operations/jobs';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import { ReadResponder } from '../http/read-responder.js';
import { cacheableQuery, queryId } from '../reads/cacheable-query.js';
import type { Requester } from '../reads/requester.js';
import { JobWaits } from './job-waits.js';

@Controller()
export class JobsController {
  constructor(
    private readonly reads: ReadResponder,
    private readonly waits: JobWaits,
  ) {}

  @Operation(listJobs)
  list(
    @Input() { query }: InputOf<typeof listJobs>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const key = { type: 'job-list', id: queryId(query), group: GROUPS.jobs } as const;
    return this.reads.answer(requester, cacheableQuery(jobsRpc.list, query, key));
  }

  @Operation(getJob)
  get(
    @Input() { params: { id } }: InputOf<typeof getJob>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, cacheableQuery(jobsRpc.get, { id }, { type: 'job', id }));
  }

  @Operation(waitForJob)
  wait(
    @Input() { params, query }: InputOf<typeof waitForJob>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.waits.answer(requester, params.id, query.timeout);
  }

  @Operation(cancelJob)
  async cancel(
    @Input() { params }: InputOf<typeof cancelJob>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const job = (await requester.request(jobsRpc.cancel, params)).body;
    if (job.status === 'cancelled') return { status: 200, body: job, version: job.version };
    return accepted(job);
  }

  @Operation(retryJob)
  async retry(
    @Input() { params }: InputOf<typeof retryJob>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return accepted((await requester.request(jobsRpc.retry, params)).body);
  }
}

function accepted(job: Job): Answer {
  return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } };
}
