import type { NatsConnection } from '@nats-io/transport-node';
import { L2 } from '@novacron/cache/l2';
import type { Entry } from '@novacron/cache/entry';
import { cacheRpc, type CacheServiceStats } from '@novacron/contracts/cache-stats';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { newId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { startService, type RunningService } from '@novacron/service-kit/run';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers } from '@novacron/testkit/servers';
import { eventually } from '@novacron/testkit/wait';
import { service } from '../../src/app.module.js';
import { FakeGateway } from './fake-gateway.js';
import { readLineage, FakeOrchestrator } from './fake-orchestrator.js';

export { LINEAGE } from './fake-orchestrator.js';

/** Real servers, a fake orchestrator, a fake gateway, and as many invalidators as a test starts. */
export class CacheHarness {
  readonly #services: RunningService[] = [];
  readonly rpc: RpcClient;

  private constructor(
    readonly servers: Awaited<ReturnType<typeof useTestServers>>,
    readonly orchestrator: NatsConnection,
    readonly gateway: NatsConnection,
    readonly metrics: NatsConnection,
    readonly fakeOrchestrator: FakeOrchestrator,
    readonly fakeGateway: FakeGateway,
    readonly l2: L2,
  ) {
    this.rpc = new RpcClient(gateway);
  }

  static async open(): Promise<CacheHarness> {
    const servers = await useTestServers({ nats: true, redis: true });
    await readLineage(servers);
    const [orchestrator, gateway, metrics] = await Promise.all(
      (['orchestrator', 'gateway', 'metrics'] as const).map((name) =>
        connectNats({ ...servers.natsLogin(name), name }),
      ),
    );
    if (!orchestrator || !gateway || !metrics) throw new Error('no connection');
    const fakeOrchestrator = new FakeOrchestrator(orchestrator);
    const fakeGateway = new FakeGateway(gateway);
    await Promise.all([orchestrator.flush(), gateway.flush()]);
    const url = servers.redisUrl;
    // A long timeout for slow machines: these tests check the outcome, not how fast it is.
    const l2 = new L2({ url, timeoutMs: 30_000 });
    return new CacheHarness(servers, orchestrator, gateway, metrics, fakeOrchestrator, fakeGateway, l2);
  }

  env(extra: Record<string, string> = {}): Record<string, string> {
    return {
      ...this.servers.env('cache'),
      NOVACRON_CACHE_WARM: 'false',
      NOVACRON_CACHE_CHECK_RATE: '0',
      ...extra,
    };
  }

  /** Starts an invalidator within this process. */
  async start(extra: Record<string, string> = {}): Promise<RunningService> {
    const env = this.env({ NOVACRON_OPS_PORT: '0', ...extra });
    const one = await startService(service, { env, logger: createLogger('test', 'silent') });
    this.#services.push(one);
    return one;
  }

  async stopServices(): Promise<void> {
    await Promise.all(this.#services.splice(0).map((one) => one.stop()));
  }

  /** Waits until the fake gateway has received every event, and its watermark says so. */
  async allReceived(timeoutMs?: number): Promise<void> {
    const all = [...this.fakeOrchestrator.events.keys()];
    await eventually(() => {
      this.fakeOrchestrator.watermark();
      const missing = this.fakeGateway.missing(all);
      if (missing.length > 0)
        throw new Error(`${missing.length} events not received, the first is ${missing[0]}`);
      const watermark = this.fakeGateway.l1.watermark();
      if (watermark === null || watermark < BigInt(this.fakeOrchestrator.lastSeq))
        throw new Error('the watermark is behind');
    }, timeoutMs);
  }

  async stats(): Promise<CacheServiceStats> {
    const meta: RequestMeta = {
      tenantId: newId(),
      principal: 'test',
      roles: ['platform_operator'],
      remainingMs: 30_000,
      consistency: 'causal',
      minPosition: null,
    };
    const { body } = await this.rpc.request(cacheRpc.stats, meta, {});
    return cacheRpc.stats.reply.parse(body);
  }

  async close(): Promise<void> {
    await this.stopServices();
    this.fakeGateway.stop();
    this.l2.close();
    await Promise.all([this.orchestrator.close(), this.gateway.close(), this.metrics.close()]);
    await this.servers.stop();
  }
}

/** A cached answer, read at `position`. */
export function entryOf(
  tenantId: string,
  version: number | null,
  position: bigint,
  body: unknown = {},
): Entry {
  return {
    bytes: Buffer.from(JSON.stringify(body)),
    version,
    position,
    seen: position,
    tenantId,
    status: 200,
    filledAt: Date.now(),
    ttlMs: 300_000,
  };
}
