import { Controller } from '@nestjs/common';
import type { RpcReply } from '@novacron/contracts/envelope';
import { ledgerRpc, type LedgerStatus } from '@novacron/contracts/ledger';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { Ledger } from './ledger.js';

/** Serves the status of the ledger, for operators and for the gateway's statistics. */
@Controller()
export class LedgerController {
  constructor(private readonly ledger: Ledger) {}

  @RpcHandler(ledgerRpc.status)
  async status(): Promise<RpcReply<LedgerStatus>> {
    return { body: await this.ledger.status(), position: null };
  }
}
