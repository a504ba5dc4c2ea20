import { jetstream, type JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { RpcClient } from '@novacron/messaging/rpc-client';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import type { DrainCoordinator } from './drain.js';
import type { KitOptions } from './kit-module.js';
import type { Readiness } from './readiness.js';

/** What services are built from that do not inject it yet. */
export class ServiceContext<C = unknown> {
  readonly name: string;
  readonly config: C;
  readonly logger: Logger;
  readonly drain: DrainCoordinator;
  readonly readiness: Readiness;
  readonly #options: KitOptions;
  #js: JetStreamClient | undefined;
  #rpc: RpcClient | undefined;

  constructor(options: KitOptions & { readonly config: C }) {
    this.#options = options;
    this.name = options.name;
    this.config = options.config;
    this.logger = options.logger;
    this.drain = options.drain;
    this.readiness = options.readiness;
  }

  /** The NATS connection, connected once at least. */
  get nc(): NatsConnection {
    return present(this.#options.nc, 'natsEnv');
  }

  get js(): JetStreamClient {
    this.#js ??= jetstream(this.nc, { timeout: 5_000 });
    return this.#js;
  }

  /** To ask other services. */
  get rpc(): RpcClient {
    this.#rpc ??= new RpcClient(this.nc);
    return this.#rpc;
  }

  /** Under row-level security: for what serves a tenant's request. */
  get api(): Database {
    return present(this.#options.databases, 'postgresEnv').api;
  }

  /** Across tenants: for workers, relay and ingest. */
  get sys(): Database {
    return present(this.#options.databases, 'postgresEnv').sys;
  }
}

function present<T>(part: T | undefined, settings: string): T {
  if (part === undefined) throw new Error(`the service's settings do not have ${settings}`);
  return part;
}
