import { Controller } from '@nestjs/common';
import type { BodyOf, ReplyOf, RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { QuotaReads } from '../quotas/quota-reads.js';

type Contract = typeof infrastructureRpc.quota;

/** Serves the quotas of tenants to other services. */
@Controller()
export class QuotasController {
  constructor(private readonly reads: QuotaReads) {}

  @RpcHandler(infrastructureRpc.quota)
  get({ meta }: RpcRequest<BodyOf<Contract>>): Promise<RpcReply<ReplyOf<Contract>>> {
    return this.reads.get(meta);
  }
}
