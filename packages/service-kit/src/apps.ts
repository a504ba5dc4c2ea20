/** The two kinds of Nest application without HTTP. Each is listening when its function resolves. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RpcServer } from '@novacron/messaging/rpc-server';
import type { DrainCoordinator, DrainPhase } from './drain.js';
import { DrainOnShutdown, type KitOptions } from './kit-module.js';
import { NestLogger } from './nest-logger.js';

/** Serves `@RpcHandler` methods over NATS. */
export async function rpcApp(
  options: KitOptions & { readonly nc: NatsConnection },
  module: DynamicModule,
  maxInFlight: number | undefined,
): Promise<INestApplicationContext> {
  const { nc, name, logger, drain } = options;
  const strategy = new RpcServer({
    nc,
    service: name,
    logger,
    ...(maxInFlight === undefined ? {} : { maxInFlight }),
  });
  const app = await NestFactory.createMicroservice(module, { ...nestOptions(options), strategy });
  closeOnDrain(app, drain, 'nats', 'requests');
  await app.listen();
  // The NATS server knows the subscriptions from here on, and no longer answers that there are no responders.
  await nc.flush();
  return app;
}

/** Serves nothing: workers and agents. */
export async function plainApp(options: KitOptions, module: DynamicModule): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(module, nestOptions(options));
  closeOnDrain(app, options.drain, 'nats', 'application');
  return app;
}

/** Closes the application in this phase of the drain, unless it is Nest that drains because the application closes. */
export function closeOnDrain(
  app: INestApplicationContext,
  drain: DrainCoordinator,
  phase: DrainPhase,
  name: string,
): void {
  const shutdown = app.get(DrainOnShutdown);
  drain.add(phase, name, () => (shutdown.closing ? undefined : app.close()));
}

export function nestOptions({ logger }: KitOptions): { logger: NestLogger; abortOnError: false } {
  return { logger: new NestLogger(logger), abortOnError: false };
}
