import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { INestMicroservice } from '@nestjs/common';
import {
  defineRpc,
  RequestMeta,
  type BodyOf,
  type RpcReply,
  type RpcRequest,
} from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { createLogger, type Logger } from '@novacron/telemetry/logger';
import { activeTrace } from '@novacron/telemetry/trace';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { connectNats } from '../src/connect.js';
import { RpcHandler, RpcServer } from '../src/rpc-server.js';
import type { TestNats } from './nats-server.js';

export const echo = defineRpc(
  'rpc.server.echo.get',
  z.strictObject({ text: z.string(), nested: z.object({ count: z.number().int() }).optional() }),
  z.object({ text: z.string(), traceId: z.string().nullable() }),
  'refused',
);
export const slow = defineRpc(
  'rpc.server.slow.get',
  z.object({ ms: z.number() }),
  z.object({ done: z.boolean() }),
  'bounded',
);
export const fail = defineRpc(
  'rpc.server.fail.get',
  z.object({ how: z.enum(['service', 'unknown', 'sync', 'huge']) }),
  z.object({ text: z.string() }),
  'refused',
);
export const absent = defineRpc('rpc.server.absent.get', z.object({}), z.object({}), 'bounded');

export const meta = (remainingMs = 30_000): RequestMeta =>
  RequestMeta.parse({
    tenantId: '0190a000-0000-7000-8000-000000000001',
    principal: 'test',
    roles: ['owner'],
    remainingMs,
    consistency: 'causal',
    minPosition: null,
  });

/** How often `slow` was started, and how often it ended. */
export const handled = { begun: 0, slow: 0 };

@Controller()
class TestController {
  @RpcHandler(echo)
  async echo({
    body,
    meta,
  }: RpcRequest<BodyOf<typeof echo>>): Promise<RpcReply<{ text: string; traceId: string | null }>> {
    if (meta.principal !== 'test') throw new Error('meta is missing');
    return {
      body: { text: body.text, traceId: activeTrace()?.traceId ?? null },
      position: '1.1.5',
      version: 3,
    };
  }

  @RpcHandler(slow)
  async slow({ body }: RpcRequest<BodyOf<typeof slow>>): Promise<RpcReply<{ done: boolean }>> {
    handled.begun += 1;
    await sleep(body.ms);
    handled.slow += 1;
    return { body: { done: true }, position: null };
  }

  @RpcHandler(fail)
  fail({ body }: RpcRequest<BodyOf<typeof fail>>): Promise<RpcReply<{ text: string }>> {
    if (body.how === 'sync') throw new Error('secret detail');
    if (body.how === 'huge')
      return Promise.resolve({ body: { text: 'x'.repeat(2_000_000) }, position: null });
    return Promise.reject(
      body.how === 'unknown'
        ? new Error('secret detail')
        : new ServiceError('quota_exceeded', 'no room', {
            errors: [{ path: '/cpu', message: 'too many' }],
            retryAfterMs: 7,
          }),
    );
  }
}

@Module({ controllers: [TestController] })
class TestModule {}

export interface TestService {
  readonly server: RpcServer;
  readonly app: INestMicroservice;
  stop(): Promise<void>;
}

export async function startService(
  nats: TestNats,
  maxInFlight = 256,
  logger: Logger = createLogger('test', 'silent'),
): Promise<TestService> {
  const nc = await connectNats({ url: nats.url, user: 'server', password: 's', name: 'server', logger });
  const server = new RpcServer({ nc, service: 'server', logger, maxInFlight });
  const app = await NestFactory.createMicroservice(TestModule, { strategy: server, logger: false });
  await app.listen();
  await nc.flush();
  return {
    server,
    app,
    async stop() {
      await app.close();
      await nc.close();
    },
  };
}
