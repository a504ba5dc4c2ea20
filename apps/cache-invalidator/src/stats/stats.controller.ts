import { Controller } from '@nestjs/common';
import { cacheRpc, type CacheServiceStats, type WarmStatus } from '@novacron/contracts/cache-stats';
import type { RpcReply } from '@novacron/contracts/envelope';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { Warmer } from '../warm/warmer.js';
import { CacheStats } from './cache-stats.js';

/** Serves the statistics of all caches, for operators and for the gateway's statistics; and warming on request. */
@Controller()
export class StatsController {
  constructor(
    private readonly stats: CacheStats,
    private readonly warmer: Warmer,
  ) {}

  @RpcHandler(cacheRpc.stats)
  async read(): Promise<RpcReply<CacheServiceStats>> {
    return { body: await this.stats.read(), position: null };
  }

  @RpcHandler(cacheRpc.warm)
  async warm(): Promise<RpcReply<WarmStatus>> {
    // The run ends by itself, and its status reports the outcome.
    void this.warmer.run();
    return { body: this.warmer.status, position: null };
  }
}
