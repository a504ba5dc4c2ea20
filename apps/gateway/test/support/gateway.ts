import { randomBytes } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { fastify, type FastifyInstance } from 'fastify';
import type { Role } from '@novacron/contracts/envelope';
import { Cache } from '@novacron/cache/cache';
import { changesOf } from '@novacron/cache/rules';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { newApiToken, hashApiToken } from '../../src/edge/api-token.js';
import { ConsistencyTokens } from '../../src/edge/consistency-token.js';
import { Positions } from '../../src/edge/positions.js';
import { serverOptions } from '../../src/edge/server-options.js';
import { TokenVerifier, type StoredToken } from '../../src/edge/token-verifier.js';
import { serveHttp } from '../../src/http.js';
import { MetricsIntake } from '../../src/metrics/intake.js';
import { httpTelemetry } from '@novacron/telemetry/http';
import { listenForInvalidations } from '../../src/reads/listen.js';
import { Reads } from '../../src/reads/reads.js';
import { Changes } from '../../src/waits/changes.js';
import { StandInOrchestrator } from './stand-in-orchestrator.js';
import { standInMetrics } from './stand-in-metrics.js';
import type { WireRequest } from '@novacron/contracts/envelope';

export const GUIDE_VM = { name: 'web-1', config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };

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
  readonly tenantId = newId<TenantId>();
  readonly metricsRequests: WireRequest[] = [];
  readonly stopDraining = new AbortController();
  readonly positions = new Positions();
  readonly tokens = new ConsistencyTokens(randomBytes(32));
  private readonly key = randomBytes(32);
  private readonly stored = new Map<string, StoredToken>();
  private readonly byRole = new Map<string, string>();
  readonly cache = new Cache({ maxBytes: 16_000_000, l2: null, rules: changesOf });
  orchestrator!: StandInOrchestrator;
  nc!: NatsConnection;
  servers!: TestServers;
  fastify!: FastifyInstance;
  url = '';
  private stopListening = (): void => undefined;
  private connections: NatsConnection[] = [];

  static async start(): Promise<TestGateway> {
    const gateway = new TestGateway();
    gateway.servers = await useTestServers({ nats: true, postgres: false });
    gateway.nc = await gateway.connect('gateway');
    gateway.orchestrator = new StandInOrchestrator(await gateway.connect('orchestrator'));
    standInMetrics(await gateway.connect('metrics'), gateway.metricsRequests);
    await Promise.all(gateway.connections.map((nc) => nc.flush()));
    gateway.fastify = fastify(serverOptions);
    const logger = createLogger('gateway', 'silent');
    gateway.stopListening = listenForInvalidations(gateway.nc, gateway.cache, logger);
    httpTelemetry(gateway.fastify, logger);
    serveHttp(gateway.fastify, {
      verifier: new TokenVerifier(
        gateway.key,
        async (hash) => gateway.stored.get(hash.toString('hex')) ?? null,
      ),
      tokens: gateway.tokens,
      positions: gateway.positions,
      rpc: new RpcClient(gateway.nc),
      services: {
        changes: new Changes(gateway.nc),
        intake: new MetricsIntake(jetstream(gateway.nc)),
        reads: new Reads(gateway.cache, new RpcClient(gateway.nc)),
        replication: async () => ({ service: 'gateway', servers: [] }),
        draining: gateway.stopDraining.signal,
      },
      ready: async () => ({ ready: true, checks: {} }),
      logger,
    });
    gateway.url = await gateway.fastify.listen({ port: 0, host: '127.0.0.1' });
    return gateway;
  }

  /** A token with this role; of the tests' tenant unless told. */
  token(role: Role = 'owner', tenantId: TenantId = this.tenantId): string {
    const known = this.byRole.get(role + tenantId);
    if (known !== undefined) return known;
    const token = newApiToken();
    const id = newId();
    const caller = {
      tenantId,
      tenantName: 'demo',
      principal: `token:${id}`,
      credentialId: id,
      roles: [role],
    };
    this.stored.set(hashApiToken(this.key, token).toString('hex'), { caller, expiresAt: null });
    this.byRole.set(role + tenantId, token);
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
    this.stopDraining.abort();
    await this.fastify.close();
    this.stopListening();
    await Promise.all(this.connections.map((nc) => nc.close()));
    await this.servers.stop();
  }

  private async connect(user: string): Promise<NatsConnection> {
    const nc = await connectNats({ ...this.servers.natsLogin(user), name: `test-${user}` });
    this.connections.push(nc);
    return nc;
  }
}
