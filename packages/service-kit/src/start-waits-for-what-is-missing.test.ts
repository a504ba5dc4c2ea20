import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { port, text } from '@novacron/config/settings';
import { defineRpc, RequestMeta, type RpcReply } from '@novacron/contracts/envelope';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import type { Database } from '@novacron/postgres/database';
import type { Migration } from '@novacron/postgres/migrate';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { z } from 'zod';
import type { FastifyInstance } from 'fastify';
import { get } from '../test/child.js';
import { SystemDatabase } from './inject.js';
import { startService, type RunningService, type ServiceSpec } from './run.js';

const count = defineRpc(
  'rpc.orchestrator.things.count',
  z.object({}),
  z.object({ count: z.number() }),
  'bounded',
);
const settings = { ...opsEnv, ...telemetryEnv, ...natsEnv, ...postgresEnv };
const logger = createLogger('test', 'silent');
const running: RunningService[] = [];
let servers: TestServers;

class AddThings1700000000000 {
  async up(runner: { query(sql: string): Promise<unknown> }): Promise<void> {
    await runner.query('CREATE TABLE things (id int)');
    await runner.query('GRANT SELECT ON things TO orchestrator_sys');
  }
  async down(): Promise<void> {}
}

@Controller()
class ThingsController {
  constructor(@SystemDatabase() private readonly sys: Database) {}

  @RpcHandler(count)
  async count(): Promise<RpcReply<{ count: number }>> {
    const { rows } = await this.sys.primary.query<{ n: number }>(
      { name: 'count_things', text: 'SELECT count(*)::int AS n FROM things' },
      [],
    );
    return { body: { count: rows[0]?.n ?? -1 }, position: null };
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

const orchestrator: ServiceSpec<typeof settings> = {
  name: 'orchestrator',
  settings,
  postgres: { schema: 'orchestrator', migrations: [AddThings1700000000000 as unknown as Migration] },
  streams: ['EVENTS'],
  module: ThingsModule,
};

/** A plain Fastify route that asks the other service. */
@Injectable()
class ThingsRoute {
  constructor({ httpAdapter }: HttpAdapterHost, rpc: RpcClient) {
    httpAdapter.getInstance<FastifyInstance>().get('/things/:id', async (_, reply) => {
      const meta = RequestMeta.parse({
        tenantId: '0190a000-0000-7000-8000-000000000001',
        principal: 'test',
        roles: [],
        remainingMs: 2_000,
        consistency: 'causal',
        minPosition: null,
      });
      const answer = await rpc.request(count, meta, {}).catch((error: Error) => error);
      return answer instanceof Error ? reply.code(503).send(answer.message) : answer.body;
    });
  }
}

@Module({ providers: [ThingsRoute] })
class GatewayModule {}

const gatewaySettings = {
  ...opsEnv,
  ...telemetryEnv,
  ...natsEnv,
  http: { host: text('NOVACRON_HTTP_HOST'), port: port('NOVACRON_HTTP_PORT') },
};
const gateway: ServiceSpec<typeof gatewaySettings> = {
  name: 'gateway',
  settings: gatewaySettings,
  http: ({ http }) => http,
  module: GatewayModule,
};

beforeAll(async () => {
  servers = await useTestServers({ nats: true });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
});
afterAll(() => servers.stop());

const opsOf = (service: 'gateway' | 'orchestrator', path: string) =>
  get(`http://127.0.0.1:${servers.env(service)['NOVACRON_OPS_PORT']}${path}`);

describe('a starting service', () => {
  it('migrates, serves requests from the gateway to Postgres, and is ready', async () => {
    running.push(await startService(orchestrator, { env: servers.env('orchestrator'), logger }));
    running.push(await startService(gateway, { env: servers.env('gateway'), logger }));
    const { status, body } = await get(`http://127.0.0.1:${running[1]?.httpPort}/things/1`);
    expect({ status, body }).toEqual({ status: 200, body: '{"count":0}' });
    const server = (running[1]?.app as NestFastifyApplication).getHttpServer();
    expect(server).toMatchObject({
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 120_000,
    });
    expect(JSON.parse((await opsOf('orchestrator', '/ready')).body)).toEqual({
      ready: true,
      status: 'ok',
      checks: { nats: { ok: true }, postgres: { ok: true } },
    });
    const metrics = (await opsOf('orchestrator', '/metrics')).body;
    expect(metrics).toContain('database_query_duration_seconds_count{query_type="select"');
    expect(metrics).toContain(
      'http_request_duration_seconds_count{method="GET",endpoint="/things/:id",status_code="200"} 1',
    );
  });

  it('leaves requests to other instances until its providers have loaded', async () => {
    running.push(await startService(gateway, { env: servers.env('gateway'), logger }));
    const request = () => get(`http://127.0.0.1:${running[0]?.httpPort}/things/1`);
    const loading = Promise.withResolvers<void>();
    let asked = false;
    class Loader implements OnModuleInit {
      onModuleInit(): Promise<void> {
        asked = true;
        return loading.promise;
      }
    }
    @Module({ imports: [ThingsModule], providers: [Loader] })
    class LoadingModule {}
    const env = servers.env('orchestrator');
    const starting = startService({ ...orchestrator, module: LoadingModule }, { env, logger });
    await until(async () => asked);
    // The subject has no subscriber: another instance would have served the request.
    expect(await request()).toMatchObject({ status: 503, body: expect.stringContaining('Nobody serves') });
    expect((await opsOf('orchestrator', '/ready')).status).toBe(503);
    loading.resolve();
    running.push(await starting);
    expect(await request()).toMatchObject({ status: 200, body: '{"count":0}' });
  });

  it('waits for NATS, answers /health, names NATS on /ready, and becomes ready by itself', async () => {
    await servers.nats.kill();
    const starting = startService(orchestrator, { env: servers.env('orchestrator'), logger });
    try {
      await until(async () => (await opsOf('orchestrator', '/health')).status === 200);
      const waiting = await opsOf('orchestrator', '/ready');
      expect(waiting.status).toBe(503);
      expect(JSON.parse(waiting.body)).toMatchObject({
        ready: false,
        checks: { nats: { ok: false }, process: { ok: false, detail: 'starting' } },
      });
    } finally {
      await servers.nats.start();
      running.push(await starting);
    }
    expect((await opsOf('orchestrator', '/ready')).status).toBe(200);
  });

  it('loses and regains readiness with a dependency, without a restart', async () => {
    running.push(await startService(orchestrator, { env: servers.env('orchestrator'), logger }));
    await servers.nats.kill();
    try {
      await until(async () => (await opsOf('orchestrator', '/ready')).status === 503);
      expect((await opsOf('orchestrator', '/ready')).body).toContain(
        '"nats":{"ok":false,"detail":"not connected"}',
      );
    } finally {
      await servers.nats.start();
    }
    await until(async () => (await opsOf('orchestrator', '/ready')).status === 200);
  });

  it('drains when it cannot start', async () => {
    @Module({})
    class BrokenModule {
      constructor() {
        throw new Error('a bug');
      }
    }
    const broken = { ...orchestrator, module: BrokenModule };
    await expect(startService(broken, { env: servers.env('orchestrator'), logger })).rejects.toThrow('a bug');
    expect((await opsOf('orchestrator', '/health')).status).toBe(0);
  });
});

describe('a running service', () => {
  it('drains when Nest closes the application', async () => {
    for (const spec of [orchestrator, gateway] as ServiceSpec<typeof gatewaySettings>[]) {
      const service = await startService(spec, { env: servers.env(spec.name as 'gateway'), logger });
      await service.app.close();
      expect((await opsOf(spec.name as 'gateway', '/health')).status).toBe(0);
      expect(await service.stop()).toBe(true);
    }
  });
});
