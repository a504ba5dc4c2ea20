import type { L2 } from '@novacron/cache/l2';
import type { WarmStatus } from '@novacron/contracts/cache-stats';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Filling, type HotPage, hotMetrics, runningVms } from './hot.js';
import { Pace } from './pace.js';
import { activeTenants } from './tenants.js';

export interface WarmerOptions {
  readonly db: Database;
  readonly rpc: RpcClient;
  /** One that is patient: nobody waits for it. */
  readonly l2: Pick<L2, 'fill' | 'available'>;
  readonly logger: Logger;
  readonly maxVms: number;
  readonly maxVmsOfTenant: number;
  readonly maxMetrics: number;
  readonly requestsPerSecond: number;
}

const MAX_TENANTS = 1_000;
/** Questions for metrics under way at one time. */
const AT_ONCE = 4;
/** How long a run waits for Redis before it fails. */
const REDIS_WAIT_MS = 30_000;
/** Fills on their way to Redis at one time. */
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
 * Loads what is hot into the shared cache: the running VMs of tenants that were active lately, the newest first, and
 * their metrics, latest and of the last hour. Bounded in number and in rate. A fill never replaces anything newer, so it may run at any time.
 */
export class Warmer {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #status = NEVER;

  constructor(private readonly options: WarmerOptions) {}

  get status(): WarmStatus {
    return this.#status;
  }

  /** Begins, or joins the run that is on. */
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
      await this.#redis();
      const pace = new Pace(this.options.requestsPerSecond, this.#stop.signal);
      await this.#metrics(await this.#vms(pace), pace);
      this.#end('done', null);
    } catch (error) {
      this.#end('failed', error instanceof Error ? error.message : String(error));
      this.options.logger.warn({ err: error }, 'the shared cache is not warmed');
    }
  }

  /** After a start the connection may still be on its way. */
  async #redis(): Promise<void> {
    for (const until = performance.now() + REDIS_WAIT_MS; performance.now() < until;) {
      if (this.options.l2.available) return;
      await sleep(100, undefined, { signal: this.#stop.signal });
    }
    throw new Error('Redis is not available');
  }

  #end(state: WarmStatus['state'], reason: string | null): void {
    this.#status = { ...this.#status, state, endedAt: new Date().toISOString(), reason };
    this.options.logger.info(this.#status, 'the shared cache was warmed');
  }

  async #vms(pace: Pace): Promise<HotPage['vms'][number][]> {
    const { db, maxVms } = this.options;
    const hot: HotPage['vms'][number][] = [];
    for (const tenantId of await activeTenants(db, MAX_TENANTS)) {
      if (hot.length >= maxVms) break;
      hot.push(...(await this.#vmsOf(tenantId, maxVms - hot.length, pace)));
      this.#status = { ...this.#status, tenants: this.#status.tenants + 1 };
    }
    return hot;
  }

  async #vmsOf(tenantId: string, room: number, pace: Pace): Promise<HotPage['vms'][number][]> {
    const wanted = Math.min(room, this.options.maxVmsOfTenant);
    const hot: HotPage['vms'][number][] = [];
    let cursor: string | null = null;
    do {
      if (hot.length >= wanted) break;
      await pace.turn();
      const page: HotPage = await runningVms(this.options.rpc, tenantId, {
        atMost: wanted - hot.length,
        cursor,
      });
      await this.#fill(page.fillings);
      hot.push(...page.vms);
      this.#status = { ...this.#status, vms: this.#status.vms + page.vms.length };
      cursor = page.nextCursor;
    } while (cursor !== null);
    return hot;
  }

  /** One VM without metrics, or an owner that is busy, is no reason to leave the others cold. */
  async #metrics(hot: readonly HotPage['vms'][number][], pace: Pace): Promise<void> {
    const waiting = hot.slice(0, this.options.maxMetrics);
    const worker = async () => {
      for (let vm = waiting.shift(); vm; vm = waiting.shift()) {
        await pace.turn();
        try {
          await this.#fill(await hotMetrics(this.options.rpc, vm));
          this.#status = { ...this.#status, metrics: this.#status.metrics + 1 };
        } catch (error) {
          this.options.logger.debug({ err: error, vmId: vm.id }, 'metrics stay cold');
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #fill(fillings: readonly Filling[]): Promise<void> {
    for (let from = 0; from < fillings.length; from += FILLS) {
      const part = fillings.slice(from, from + FILLS);
      const kept = await Promise.all(part.map(({ place, entry }) => this.options.l2.fill(place, entry)));
      const refused = kept.filter((one) => !one).length;
      this.#status = { ...this.#status, refused: this.#status.refused + refused };
    }
  }
}
