import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { AddressInfo } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';
import type { FastifyInstance } from 'fastify';
import type { Role } from '@novacron/contracts/envelope';
import { Cache } from '@novacron/cache/cache';
import { L2 } from '@novacron/cache/l2';
import { changesOf } from '@novacron/cache/rules';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import type { Database } from '@novacron/postgres/database';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { rootModule } from '@novacron/service-kit/kit-module';
import { Readiness } from '@novacron/service-kit/readiness';
import { Replication } from '@novacron/service-kit/replication';
import { httpTelemetry } from '@novacron/telemetry/http';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { AppModule } from '../../src/app.module.js';
import { hashApiToken, newApiToken } from '../../src/auth/api-token.js';
import { TokenVerifier, type StoredToken } from '../../src/auth/token-verifier.js';
import { ConsistencyTokens } from '../../src/consistency/consistency-token.js';
import { FirstPosition } from '../../src/consistency/first-position.js';
import { Positions } from '../../src/consistency/positions.js';
import { BodyBudget } from '../../src/http/body-budget.js';
import { GatewayAdapter } from '../../src/http/gateway-adapter.js';
import { trusting } from '../../src/http/server-options.js';
import { LimitSharing } from '../../src/limits/limit-sharing.js';
import { type AddressLimit, RateLimits } from '../../src/limits/rate-limits.js';
import { WaitSlots } from '../../src/waits/wait-slots.js';
import { FakeOrchestrator } from './fake-orchestrator.js';
import { fakeMetrics } from './fake-metrics.js';
import type { WireRequest } from '@novacron/contracts/envelope';

export const GUIDE_VM = { name: 'web-1', config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };

/** Most tests send far more requests without a token than one address may. */
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

/** Drains when a test says so, not when the application closes. */
class TestDrain extends DrainCoordinator {
  readonly stop = new AbortController();

  override get signal(): AbortSignal {
    return this.stop.signal;
  }
}

/**
 * The gateway's own module over a real NATS, with fakes of the services behind it. Tokens are kept in memory, and
 * the database is left out.
 */
export class TestGateway {
  readonly tenantId: TenantId;
  readonly metricsRequests: WireRequest[] = [];
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
  orchestrator!: FakeOrchestrator;
  nc!: NatsConnection;
  servers!: TestServers;
  fastify!: FastifyInstance;
  private app!: NestFastifyApplication;
  private drain!: TestDrain;
  url = '';
  /** Runs before a token is looked up. */
  beforeLookup = async (): Promise<void> => undefined;
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
    gateway.orchestrator = new FakeOrchestrator(await gateway.connect('orchestrator'), invalidator);
    fakeMetrics(await gateway.connect('metrics'), gateway.metricsRequests);
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
    const logger = createLogger('gateway', 'silent');
    const url = this.servers.env('gateway')['NOVACRON_REDIS_URL'];
    this.l2 = url === undefined ? null : new L2({ url });
    this.cache = new Cache({ maxBytes: 16_000_000, l2: this.l2, rules: changesOf });
    this.drain = new TestDrain(logger);
    const readiness = new Readiness();
    const kit = {
      name: 'gateway',
      config: {
        redis: { url },
        http: { corsOrigins: ['https://console.example.org'] },
        metricTimes: { retentionDays: 400, futureMinutes: 1_440 },
        keys: { tokenHash: this.key, consistency: this.key },
      },
      logger,
      drain: this.drain,
      readiness,
      nc: this.nc,
      databases: { api: {} as Database, sys: {} as Database },
    };
    const verifier = new TokenVerifier(this.key, async (hash) => {
      await this.beforeLookup();
      return this.stored.get(hash.toString('hex')) ?? null;
    });
    const module = Test.createTestingModule({ imports: [rootModule(kit, AppModule)] })
      .overrideProvider(Cache)
      .useValue(this.cache)
      .overrideProvider(TokenVerifier)
      .useValue(verifier)
      .overrideProvider(ConsistencyTokens)
      .useValue(this.tokens)
      .overrideProvider(Positions)
      .useValue(this.positions)
      .overrideProvider(FirstPosition)
      .useValue({})
      .overrideProvider(RateLimits)
      .useValue(new RateLimits(this.address))
      .overrideProvider(BodyBudget)
      .useValue(this.bodies)
      .overrideProvider(WaitSlots)
      .useValue(this.waits)
      .overrideProvider(Replication)
      .useValue({ get: async () => ({ service: 'gateway', servers: [] }) });
    if (url === undefined) module.overrideProvider(LimitSharing).useValue({});
    const compiled = await module.compile();
    const adapter = new GatewayAdapter({ ...trusting(this.trustedProxies), skipMiddie: true });
    this.fastify = adapter.getInstance() as unknown as FastifyInstance;
    httpTelemetry(this.fastify, logger);
    this.app = compiled.createNestApplication<NestFastifyApplication>(adapter, {
      bodyParser: false,
      logger: false,
    });
    await this.app.listen(0, '127.0.0.1');
    readiness.serve();
    this.url = `http://127.0.0.1:${(this.fastify.server.address() as AddressInfo).port}`;
  }

  /** Begins a drain: waits end, and nothing new begins. */
  beginDrain(): void {
    this.drain.stop.abort();
  }

  /** A token with this role; of the tests' tenant by default. Each `name` has one of its own. */
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

  /** Asks as the tenant's owner by default; `body` goes as JSON, a string as it is. */
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
    this.beginDrain();
    await this.drain.run();
    await this.app.close();
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
