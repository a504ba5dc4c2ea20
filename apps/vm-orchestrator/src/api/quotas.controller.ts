import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import type { BodyOf, ReplyOf, RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { Controller } from '@nestjs/common';
import { Core } from '../core.js';
import { servedBy, sessionFor } from '../database/read-session.js';
import { READ_QUOTA, toQuota, type QuotaRow } from '../quotas/quotas.js';

type Contract = typeof infrastructureRpc.quota;

@Controller()
export class QuotasController {
  constructor(private readonly core: Core) {}

  @RpcHandler(infrastructureRpc.quota)
  async get({ meta }: RpcRequest<BodyOf<Contract>>): Promise<RpcReply<ReplyOf<Contract>>> {
    const { tenantId } = meta;
    const found = await sessionFor(this.core.api, meta).query<QuotaRow>(READ_QUOTA, [tenantId], { tenantId });
    const body = toQuota(found.rows[0], this.core.config.quota);
    return { body, ...servedBy(found) };
  }
}
