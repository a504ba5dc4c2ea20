import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import type { ServiceContext } from './context.js';
import { replicationController } from './replication.js';
import {
  CONFIG,
  CONTEXT,
  DATABASE_API,
  DATABASE_SYS,
  DRAIN,
  JETSTREAM,
  LOGGER,
  NATS,
  READINESS,
  RPC_CLIENT,
} from './tokens.js';

@Module({})
class KitModule {}

@Module({})
class RootModule {}

/** The service's module below one that provides the kit's tokens to every module. */
export function rootModule(context: ServiceContext, service: DynamicModule | Type): DynamicModule {
  const providers = providersOf(context);
  const kit: DynamicModule = {
    module: KitModule,
    global: true,
    controllers: context.hasNats && context.hasPostgres ? [replicationController(context)] : [],
    providers,
    exports: providers.map((provider) => (provider as { provide: symbol }).provide),
  };
  return { module: RootModule, imports: [kit, service] };
}

function providersOf(context: ServiceContext): Provider[] {
  const value = (provide: symbol, useValue: unknown): Provider => ({ provide, useValue });
  return [
    value(CONTEXT, context),
    value(CONFIG, context.config),
    value(LOGGER, context.logger),
    value(DRAIN, context.drain),
    value(READINESS, context.readiness),
    ...(context.hasNats
      ? [value(NATS, context.nc), value(JETSTREAM, context.js), value(RPC_CLIENT, context.rpc)]
      : []),
    ...(context.hasPostgres ? [value(DATABASE_API, context.api), value(DATABASE_SYS, context.sys)] : []),
  ];
}
