import { Injectable } from '@nestjs/common';
import { sleep } from '@novacron/async/sleep';
import type { WarmStatus } from '@novacron/contracts/cache-stats';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type { CacheConfig } from '../config.js';
import { SharedCache } from '../redis/shared-cache.js';
import { ActiveTenants } from './active-tenants.js';
import { type Fill, type HotPage, hotMetrics, runningVms } from './hot-entries.js';
import { Pace } from './pace.js';

const MAX_TENANTS = 1_000;
/** Concurrent requests for metrics. */
const CONCURRENCY = 4;
/** How long a run waits for Redis before it fails. */
const REDIS_WAIT_MS = 30_000;
/** Concurrent fills. */
const FILLS = 100;

const NEVER: WarmStatus = {
  state: 'never',
  startedAt: null,
  endedAt: null,
  tenants: 0,
  vms: 0,
  metrics: 0,
  refused: 0,
  reason: null,
};

/**
 * Loads hot entries into the shared cache: the running VMs of recently active tenants, the newest first, and their
 * latest and last-hour metrics. It is bounded in number and in rate. A fill never replaces a newer entry, so warming may
 * run at any time.
 */
@Injectable()
export class Warmer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #status = NEVER;

  constructor(
    private readonly tenants: ActiveTenants,
    private readonly rpc: RpcClient,
    private readonly l2: SharedCache,
    @ServiceConfig() private readonly config: CacheConfig,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  get status(): WarmStatus {
    return this.#status;
  }

  /** Starts a run, or joins the one that is under way. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the process is shutting down'));
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#status = { ...NEVER, state: 'running', startedAt: new Date().toISOString() };
    try {
      await this.#untilRedis();
      const pace = new Pace(this.config.warm.requestsPerSecond, this.#stop.signal);
      await this.#metrics(await this.#vms(pace), pace);
      this.#end('done', null);
    } catch (error) {
      this.#end('failed', error instanceof Error ? error.message : String(error));
      this.logger.warn({ err: error }, 'cache warming failed');
    }
  }

  /** After a start the connection may not be ready yet. */
  async #untilRedis(): Promise<void> {
    for (const until = performance.now() + REDIS_WAIT_MS; performance.now() < until;) {
      if (this.l2.available) return;
      await sleep(100, { signal: this.#stop.signal });
    }
    throw new Error('Redis is not available');
  }

  #end(state: WarmStatus['state'], reason: string | null): void {
    this.#status = { ...this.#status, state, endedAt: new Date().toISOString(), reason };
    this.logger.info(this.#status, 'cache warming ended');
  }

  async #vms(pace: Pace): Promise<HotPage['vms'][number][]> {
    const { maxVms } = this.config.warm;
    const hot: HotPage['vms'][number][] = [];
    for (const tenantId of await this.tenants.latest(MAX_TENANTS)) {
      if (hot.length >= maxVms) break;
      hot.push(...(await this.#vmsOf(tenantId, maxVms - hot.length, pace)));
      this.#status = { ...this.#status, tenants: this.#status.tenants + 1 };
    }
    return hot;
  }

  async #vmsOf(tenantId: string, room: number, pace: Pace): Promise<HotPage['vms'][number][]> {
    const wanted = Math.min(room, this.config.warm.maxVmsOfTenant);
    const hot: HotPage['vms'][number][] = [];
    let cursor: string | null = null;
    do {
      if (hot.length >= wanted) break;
      await pace.turn();
      const page: HotPage = await runningVms(this.rpc, tenantId, {
        limit: wanted - hot.length,
        cursor,
      });
      await this.#fill(page.fills);
      hot.push(...page.vms);
      this.#status = { ...this.#status, vms: this.#status.vms + page.vms.length };
      cursor = page.nextCursor;
    } while (cursor !== null);
    return hot;
  }

  /** A VM without metrics, or a busy owner, does not keep the others from being warmed. */
  async #metrics(hot: readonly HotPage['vms'][number][], pace: Pace): Promise<void> {
    const waiting = hot.slice(0, this.config.warm.maxMetrics);
    const worker = async () => {
      for (let vm = waiting.shift(); vm; vm = waiting.shift()) {
        await pace.turn();
        try {
          await this.#fill(await hotMetrics(this.rpc, vm));
          this.#status = { ...this.#status, metrics: this.#status.metrics + 1 };
        } catch (error) {
          this.logger.debug({ err: error, vmId: vm.id }, 'metrics warming failed');
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  }

  async #fill(fills: readonly Fill[]): Promise<void> {
    for (let from = 0; from < fills.length; from += FILLS) {
      const part = fills.slice(from, from + FILLS);
      const kept = await Promise.all(part.map(({ place, entry }) => this.l2.fill(place, entry)));
      const refused = kept.filter((one) => !one).length;
      this.#status = { ...this.#status, refused: this.#status.refused + refused };
    }
  }
}
