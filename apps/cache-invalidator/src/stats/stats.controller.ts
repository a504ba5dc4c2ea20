import { Controller } from '@nestjs/common';
import { cacheRpc, type CacheServiceStats, type WarmStatus } from '@novacron/contracts/cache-stats';
import type { RpcReply } from '@novacron/contracts/envelope';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { Caches } from '../caches.js';

/** What caches were told, for operators and for the gateway's statistics; and warming on request. */
@Controller()
export class StatsController {
  constructor(private readonly caches: Caches) {}

  @RpcHandler(cacheRpc.stats)
  async stats(): Promise<RpcReply<CacheServiceStats>> {
    return { body: await this.caches.stats(), position: null };
  }

  @RpcHandler(cacheRpc.warm)
  async warm(): Promise<RpcReply<WarmStatus>> {
    // It ends by itself, and says how in its status.
    void this.caches.warmer.run();
    return { body: this.caches.warmer.status, position: null };
  }
}
