/**
 * What the kit provides to every module by parameter decorator: values that have no class of their own, or exist
 * twice. Classes are their own tokens: `DrainCoordinator`, `Readiness`, `RpcClient`, `Replication`.
 */
import { Inject } from '@nestjs/common';

/** The tokens behind the decorators; a test that builds a module by itself provides them. */
export const TOKENS = {
  config: Symbol('novacron:config'),
  logger: Symbol('novacron:logger'),
  nats: Symbol('novacron:nats'),
  jetStream: Symbol('novacron:jetstream'),
  tenantDatabase: Symbol('novacron:database-api'),
  systemDatabase: Symbol('novacron:database-sys'),
} as const;

/** The service's configuration, typed by the service's own `config.ts`. */
export const ServiceConfig = () => Inject(TOKENS.config);

/** `logger: Logger`. */
export const ServiceLogger = () => Inject(TOKENS.logger);

/** `nc: NatsConnection`, connected; only with natsEnv. */
export const Nats = () => Inject(TOKENS.nats);

/** `js: JetStreamClient`; only with natsEnv. */
export const JetStream = () => Inject(TOKENS.jetStream);

/** `db: Database` of the `_api` role, under row-level security: serves a tenant's request. Only with postgresEnv. */
export const TenantDatabase = () => Inject(TOKENS.tenantDatabase);

/** `db: Database` of the `_sys` role, across tenants: workers, relay, ingest. Only with postgresEnv. */
export const SystemDatabase = () => Inject(TOKENS.systemDatabase);
