import { randomBytes } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { fastify, type FastifyInstance } from 'fastify';
import type { Role } from '@novacron/contracts/envelope';
import { Cache } from '@novacron/cache/cache';
import { L2 } from '@novacron/cache/l2';
import { changesOf } from '@novacron/cache/rules';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { newApiToken, hashApiToken } from '../../src/auth/api-token.js';
import { BodyBudget } from '../../src/http/body-budget.js';
import { ConsistencyTokens } from '../../src/consistency/consistency-token.js';
import { Positions } from '../../src/consistency/positions.js';
import { trusting } from '../../src/http/server-options.js';
import { TokenVerifier, type StoredToken } from '../../src/auth/token-verifier.js';
import { serveHttp } from '../../src/http.js';
import { PushTargets } from '../../src/metrics/push-targets.js';
import { MetricsIntake } from '../../src/metrics/metrics-publisher.js';
import { type AddressLimit, RateLimits } from '../../src/limits/rate-limits.js';
import { shareLimits } from '../../src/limits/share-limits.js';
import { RedisConnection } from '@novacron/redis/connection';
import { httpTelemetry } from '@novacron/telemetry/http';
import { listenForInvalidations } from '../../src/reads/invalidation-listener.js';
import { Reads } from '../../src/reads/reads.js';
import { Changes } from '../../src/waits/changes.js';
import { ReadTurns } from '../../src/waits/read-turns.js';
import { WaitSlots } from '../../src/waits/wait-slots.js';
import { StandInOrchestrator } from './stand-in-orchestrator.js';
import { standInMetrics } from './stand-in-metrics.js';
import type { WireRequest } from '@novacron/contracts/envelope';

export const GUIDE_VM = { name: 'web-1', config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };

/** Most tests ask without a token far more often than anybody should. */
const NO_LIMIT: AddressLimit = { burst: 1e6, perMinute: 1e6 };

export interface Asked {
  readonly token?: string | null;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // Tests look at what they expect to be there.
  readonly json: ReturnType<typeof JSON.parse>;
}

/** A gateway over a real NATS, with stand-ins for what answers; tokens are kept in memory. */
export class TestGateway {
  readonly tenantId: TenantId;
  readonly metricsRequests: WireRequest[] = [];
  readonly stopDraining = new AbortController();
  readonly positions = new Positions();
  readonly waits = new WaitSlots();
  readonly tokens: ConsistencyTokens;
  private readonly key: Buffer;
  private readonly stored: Map<string, StoredToken>;
  private readonly byRole: Map<string, string>;
  private readonly servesFirst: boolean;
  private readonly others: TestGateway[] = [];
  private l2: L2 | null = null;
  cache!: Cache;
  orchestrator!: StandInOrchestrator;
  nc!: NatsConnection;
  servers!: TestServers;
  fastify!: FastifyInstance;
  url = '';
  /** Runs before a token is looked up. */
  beforeLookup = async (): Promise<void> => undefined;
  private stopListening = (): void => undefined;
  private stopSharing = (): void => undefined;
  private connections: NatsConnection[] = [];

  private constructor(
    private readonly withRedis: boolean,
    private readonly trustedProxies: readonly string[],
    private readonly address: AddressLimit,
    private readonly bodies: BodyBudget,
    first?: TestGateway,
  ) {
    this.tenantId = first?.tenantId ?? newId<TenantId>();
    this.tokens = first?.tokens ?? new ConsistencyTokens(randomBytes(32));
    this.key = first?.key ?? randomBytes(32);
    this.stored = first?.stored ?? new Map<string, StoredToken>();
    this.byRole = first?.byRole ?? new Map<string, string>();
    this.servesFirst = first === undefined;
  }

  static async start(
    options: {
      readonly redis?: boolean;
      readonly trustedProxies?: readonly string[];
      readonly address?: AddressLimit;
      readonly bodies?: BodyBudget;
    } = {},
  ): Promise<TestGateway> {
    const gateway = new TestGateway(
      options.redis === true,
      options.trustedProxies ?? [],
      options.address ?? NO_LIMIT,
      options.bodies ?? new BodyBudget(),
    );
    gateway.servers = await useTestServers({ nats: true, postgres: false, redis: options.redis ?? false });
    const invalidator = await gateway.connect('cache');
    gateway.orchestrator = new StandInOrchestrator(await gateway.connect('orchestrator'), invalidator);
    standInMetrics(await gateway.connect('metrics'), gateway.metricsRequests);
    await Promise.all(gateway.connections.map((nc) => nc.flush()));
    await gateway.serve();
    return gateway;
  }

  /** A second gateway of the same installation: servers, keys and tokens are the first one's. */
  async another(): Promise<TestGateway> {
    const other = new TestGateway(this.withRedis, this.trustedProxies, this.address, this.bodies, this);
    other.servers = this.servers;
    other.orchestrator = this.orchestrator;
    await other.serve();
    this.others.push(other);
    return other;
  }

  private async serve(): Promise<void> {
    this.nc = await this.connect('gateway');
    this.fastify = fastify(trusting(this.trustedProxies));
    const logger = createLogger('gateway', 'silent');
    const url = this.servers.env('gateway')['NOVACRON_REDIS_URL'];
    this.l2 = url === undefined ? null : new L2({ url });
    this.cache = new Cache({ maxBytes: 16_000_000, l2: this.l2, rules: changesOf });
    this.stopListening = listenForInvalidations(this.nc, this.cache, logger);
    await this.nc.flush();
    httpTelemetry(this.fastify, logger);
    const limits = new RateLimits(this.address);
    if (url !== undefined) {
      const redis = new RedisConnection({ url });
      const stop = shareLimits(limits, redis);
      this.stopSharing = () => {
        stop();
        redis.close();
      };
    }
    serveHttp(this.fastify, {
      verifier: new TokenVerifier(this.key, async (hash) => {
        await this.beforeLookup();
        return this.stored.get(hash.toString('hex')) ?? null;
      }),
      tokens: this.tokens,
      positions: this.positions,
      limits,
      rpc: new RpcClient(this.nc),
      services: {
        changes: new Changes(this.nc),
        waits: this.waits,
        readTurns: new ReadTurns(),
        intake: new MetricsIntake(jetstream(this.nc), { retentionDays: 400, futureMinutes: 1_440 }),
        pushTargets: new PushTargets(new RpcClient(this.nc)),
        reads: new Reads(this.cache, new RpcClient(this.nc)),
        replication: async () => ({ service: 'gateway', servers: [] }),
        draining: this.stopDraining.signal,
      },
      bodies: this.bodies,
      corsOrigins: ['https://console.example.org'],
      ready: async () => ({ ready: true, status: 'ok', checks: {} }),
      logger,
    });
    this.url = await this.fastify.listen({ port: 0, host: '127.0.0.1' });
  }

  /** A token with this role; of the tests' tenant unless told. Each `name` has one of its own. */
  token(
    role: Role = 'owner',
    tenantId: TenantId = this.tenantId,
    name = '',
    ratePerSecond: number | null = null,
  ): string {
    const known = this.byRole.get(role + tenantId + name);
    if (known !== undefined) return known;
    const token = newApiToken();
    const id = newId();
    const caller = {
      tenantId,
      tenantName: 'demo',
      principal: `token:${id}`,
      credentialId: id,
      roles: [role],
      ratePerSecond,
    };
    this.stored.set(hashApiToken(this.key, token).toString('hex'), { caller, expiresAt: null });
    this.byRole.set(role + tenantId + name, token);
    return token;
  }

  /** Asks as the tenant's owner unless told; `body` goes as JSON, a text as it is. */
  async ask(
    method: string,
    path: string,
    { token = this.token(), body, headers = {} }: Asked = {},
  ): Promise<Answered> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  async stop(): Promise<void> {
    for (const other of this.others) await other.stop();
    this.stopDraining.abort();
    await this.fastify.close();
    this.stopListening();
    this.stopSharing();
    this.l2?.close();
    await Promise.all(this.connections.map((nc) => nc.close()));
    if (this.servesFirst) await this.servers.stop();
  }

  private async connect(user: string): Promise<NatsConnection> {
    const nc = await connectNats({ ...this.servers.natsLogin(user), name: `test-${user}` });
    this.connections.push(nc);
    return nc;
  }
}
