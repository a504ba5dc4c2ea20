import { Controller } from '@nestjs/common';
import type { BodyOf, RawReply, ReplyOf, RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { jobsRpc } from '@novacron/contracts/jobs';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { JobCanceller } from '../admission/cancel-job.js';
import { JobRetrier } from '../admission/retry-job.js';
import { JobReads } from '../jobs/job-reads.js';

type Reply<C extends keyof typeof jobsRpc> = Promise<RpcReply<ReplyOf<(typeof jobsRpc)[C]>>>;
type Request<C extends keyof typeof jobsRpc> = RpcRequest<BodyOf<(typeof jobsRpc)[C]>>;

/** Serves jobs to other services. */
@Controller()
export class JobsController {
  constructor(
    private readonly reads: JobReads,
    private readonly canceller: JobCanceller,
    private readonly retrier: JobRetrier,
  ) {}

  @RpcHandler(jobsRpc.list)
  list({ meta, body }: Request<'list'>): Promise<RawReply> {
    return this.reads.list(meta, body);
  }

  @RpcHandler(jobsRpc.get)
  get({ meta, body }: Request<'get'>): Reply<'get'> {
    return this.reads.get(meta, body.id);
  }

  @RpcHandler(jobsRpc.cancel)
  cancel({ meta, body }: Request<'cancel'>): Reply<'cancel'> {
    return this.canceller.cancel(meta, body.id);
  }

  @RpcHandler(jobsRpc.retry)
  retry({ meta, body }: Request<'retry'>): Reply<'retry'> {
    return this.retrier.retry(meta, body.id);
  }
}
