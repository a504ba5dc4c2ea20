import { Controller } from '@nestjs/common';
import type { BodyOf, ReplyOf, RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { fetchOrchestratorEvents } from '@novacron/contracts/events';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { fetchEvents } from '@novacron/outbox/fetch';
import type { Database } from '@novacron/postgres/database';
import { SystemDatabase } from '@novacron/service-kit/inject';

type Contract = typeof fetchOrchestratorEvents;

/** Serves events by seq to consumers that detected a gap. */
@Controller()
export class EventsController {
  constructor(@SystemDatabase() private readonly db: Database) {}

  @RpcHandler(fetchOrchestratorEvents)
  async fetch({ body }: RpcRequest<BodyOf<Contract>>): Promise<RpcReply<ReplyOf<Contract>>> {
    return { body: await fetchEvents(this.db.primary, body.fromSeq, body.toSeq), position: null };
  }
}
