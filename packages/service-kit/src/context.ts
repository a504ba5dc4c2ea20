import { jetstream, type JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { RpcClient } from '@novacron/messaging/rpc-client';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import type { DrainCoordinator } from './drain.js';
import type { Readiness } from './readiness.js';

export interface ServiceContextParts<C> {
  readonly name: string;
  readonly config: C;
  readonly logger: Logger;
  readonly drain: DrainCoordinator;
  readonly readiness: Readiness;
  readonly nc?: NatsConnection | undefined;
  readonly databases: Readonly<Partial<Record<'api' | 'sys', Database>>>;
}

/** What a service is built from. Reaching for what its settings do not ask for is a mistake of the builder. */
export class ServiceContext<C = unknown> {
  readonly name: string;
  readonly config: C;
  readonly logger: Logger;
  readonly drain: DrainCoordinator;
  readonly readiness: Readiness;
  readonly #parts: ServiceContextParts<C>;
  #js: JetStreamClient | undefined;
  #rpc: RpcClient | undefined;

  constructor(parts: ServiceContextParts<C>) {
    this.#parts = parts;
    this.name = parts.name;
    this.config = parts.config;
    this.logger = parts.logger;
    this.drain = parts.drain;
    this.readiness = parts.readiness;
  }

  /** The NATS connection, connected once at least. */
  get nc(): NatsConnection {
    return present(this.#parts.nc, 'natsEnv');
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
    return present(this.#parts.databases.api, 'postgresEnv');
  }

  /** Across tenants: for workers, relay and ingest. */
  get sys(): Database {
    return present(this.#parts.databases.sys, 'postgresEnv');
  }

  /** For the container; use `api` and `sys`. */
  get hasNats(): boolean {
    return this.#parts.nc !== undefined;
  }

  get hasPostgres(): boolean {
    return this.#parts.databases.api !== undefined;
  }
}

function present<T>(part: T | undefined, settings: string): T {
  if (part === undefined) throw new Error(`the service's settings do not have ${settings}`);
  return part;
}
