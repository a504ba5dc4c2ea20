import { Controller } from '@nestjs/common';
import type { RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { metricsRpc, type IntakeResult } from '@novacron/contracts/metrics';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { AccountReader } from './account-reader.js';

/** Serves a tenant's account with the ingester over request/reply. */
@Controller()
export class IntakeController {
  constructor(private readonly reader: AccountReader) {}

  @RpcHandler(metricsRpc.intake)
  account({ meta }: RpcRequest<object>): Promise<RpcReply<IntakeResult>> {
    return this.reader.account(meta);
  }

  @RpcHandler(metricsRpc.refusedNames)
  refusedNames({ meta, body }: RpcRequest<{ names: string[] }>): Promise<RpcReply<{ refused: string[] }>> {
    return this.reader.refusedNames(meta, body.names);
  }
}
