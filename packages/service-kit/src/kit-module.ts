import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type Type,
  type ValueProvider,
} from '@nestjs/common';
import { RpcClient } from '@novacron/messaging/rpc-client';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { DrainCoordinator } from './drain.js';
import { TOKENS } from './inject.js';
import { Readiness } from './readiness.js';
import { Replication, replicationController } from './replication.js';

/** What the kit has built before the service's module. */
export interface KitOptions {
  readonly name: string;
  readonly config: unknown;
  readonly logger: Logger;
  readonly drain: DrainCoordinator;
  readonly readiness: Readiness;
  readonly nc?: NatsConnection | undefined;
  readonly databases?: { readonly api: Database; readonly sys: Database } | undefined;
}

/** Drains when Nest closes the application by itself, as a test does. A signal begins with the drain instead. */
@Injectable()
export class DrainOnShutdown implements BeforeApplicationShutdown {
  #closing = false;

  constructor(private readonly drain: DrainCoordinator) {}

  /** Whether Nest closes the application already: the drain must not wait for that a second time. */
  get closing(): boolean {
    return this.#closing;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#closing = true;
    if (!this.drain.signal.aborted) await this.drain.run();
  }
}

@Module({})
class KitModule {}

@Module({})
class RootModule {}

/** The service's module below a global one that provides what `inject.ts` names. */
export function rootModule(options: KitOptions, service: Type): DynamicModule {
  const values = valuesOf(options);
  const kit: DynamicModule = {
    module: KitModule,
    global: true,
    controllers: options.nc && options.databases ? [replicationController(options.name)] : [],
    providers: [...values, DrainOnShutdown],
    exports: values.map(({ provide }) => provide),
  };
  return { module: RootModule, imports: [kit, service] };
}

function valuesOf({ name, config, logger, drain, readiness, nc, databases }: KitOptions): ValueProvider[] {
  const value = (provide: ValueProvider['provide'], useValue: unknown): ValueProvider => ({
    provide,
    useValue,
  });
  const always = [
    value(TOKENS.config, config),
    value(TOKENS.logger, logger),
    value(DrainCoordinator, drain),
    value(Readiness, readiness),
  ];
  const messaging = nc && [
    value(TOKENS.nats, nc),
    value(TOKENS.jetStream, jetstream(nc, { timeout: 5_000 })),
    value(RpcClient, new RpcClient(nc)),
  ];
  const storage = databases && [
    value(TOKENS.tenantDatabase, databases.api),
    value(TOKENS.systemDatabase, databases.sys),
    value(Replication, new Replication(name, databases.api, databases.sys)),
  ];
  return [...always, ...(messaging ?? []), ...(storage ?? [])];
}
