/** The three kinds of Nest application that a service can be. Each is listening when its function resolves. */
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RpcServer } from '@novacron/messaging/rpc-server';
import type { ServiceContext } from './context.js';
import { NestLogger } from './nest-logger.js';

/** Serves `@RpcHandler` methods over NATS. */
export async function rpcApp(
  context: ServiceContext,
  module: DynamicModule,
  maxInFlight: number | undefined,
): Promise<INestApplicationContext> {
  const { nc, name, logger, drain } = context;
  const strategy = new RpcServer({
    nc,
    service: name,
    logger,
    ...(maxInFlight === undefined ? {} : { maxInFlight }),
  });
  const app = await NestFactory.createMicroservice(module, { ...nestOptions(context), strategy });
  drain.add('nats', 'requests', () => app.close());
  await app.listen();
  // The server has the subscriptions: from here on nobody hears that there are no responders.
  await nc.flush();
  return app;
}

/** Serves nothing: workers and agents. */
export async function plainApp(
  context: ServiceContext,
  module: DynamicModule,
): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(module, nestOptions(context));
  context.drain.add('nats', 'application', () => app.close());
  return app;
}

export function nestOptions(context: ServiceContext): { logger: NestLogger; abortOnError: false } {
  return { logger: new NestLogger(context.logger), abortOnError: false };
}
