import { jobsRpc } from '@novacron/contracts/jobs';
import { fetchOrchestratorEvents } from '@novacron/contracts/events';
import type {
  BodyOf,
  RawReply,
  ReplyOf,
  RpcContract,
  RpcReply,
  RpcRequest,
} from '@novacron/contracts/envelope';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { fetchEvents } from '@novacron/outbox/fetch';
import { Controller } from '@nestjs/common';
import { Core } from '../core.js';
import { cancelJob } from '../admission/cancel-job.js';
import { listJobs } from '../jobs/list.js';
import { getJob } from '../jobs/read.js';
import { retryJob } from '../admission/retry-job.js';

type Reply<C extends RpcContract> = Promise<RpcReply<ReplyOf<C>>>;
type Request<C extends keyof typeof jobsRpc> = RpcRequest<BodyOf<(typeof jobsRpc)[C]>>;

/** Jobs, and the events by number for who saw a hole. */
@Controller()
export class JobsController {
  constructor(private readonly core: Core) {}

  @RpcHandler(jobsRpc.list)
  list({ meta, body }: Request<'list'>): Promise<RawReply> {
    return listJobs(this.core.api, meta, body);
  }

  @RpcHandler(jobsRpc.get)
  get({ meta, body }: Request<'get'>): Reply<(typeof jobsRpc)['get']> {
    return getJob(this.core.api, meta, body.id);
  }

  @RpcHandler(jobsRpc.cancel)
  async cancel({ meta, body }: Request<'cancel'>): Reply<(typeof jobsRpc)['cancel']> {
    const reply = await cancelJob(this.core.api, meta, body.id);
    this.core.relay.wake();
    this.core.dispatcher.wake(0);
    return reply;
  }

  @RpcHandler(jobsRpc.retry)
  retry({ meta, body }: Request<'retry'>): Reply<(typeof jobsRpc)['retry']> {
    return retryJob(this.core.api, this.core.actor, meta, body.id);
  }

  @RpcHandler(fetchOrchestratorEvents)
  async fetch({
    body,
  }: RpcRequest<BodyOf<typeof fetchOrchestratorEvents>>): Reply<typeof fetchOrchestratorEvents> {
    return { body: await fetchEvents(this.core.sys.primary, body.fromSeq, body.toSeq), position: null };
  }
}
