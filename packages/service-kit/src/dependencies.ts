import type { NatsConnection } from '@nats-io/transport-node';
import { retry } from '@novacron/async/retry';
import type { natsEnv, postgresEnv } from '@novacron/config/fragments';
import type { Config } from '@novacron/config/load';
import { connectNats, isConnected, onReconnect } from '@novacron/messaging/connect';
import { ensureStreams, type StreamName } from '@novacron/messaging/streams';
import { createDatabase, type Database, type DatabaseSettings } from '@novacron/postgres/database';
import type { Migration } from '@novacron/postgres/migrate';
import { QueryMonitor } from '@novacron/postgres/query-monitor';
import { missingMigrations } from '@novacron/postgres/schema-current';
import type { Logger } from '@novacron/telemetry/logger';
import type { DrainCoordinator } from './drain.js';
import type { Readiness } from './readiness.js';

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 3_000;

/** What a dependency is opened with. */
export interface DependencyOptions {
  readonly name: string;
  readonly logger: Logger;
  readonly drain: DrainCoordinator;
  readonly readiness: Readiness;
}

/** Connects to NATS, retrying without limit, and creates the streams, now and after each reconnect. */
export async function openNats(
  { name, logger, drain, readiness }: DependencyOptions,
  config: Config<typeof natsEnv>['nats'],
  streams: readonly StreamName[],
): Promise<NatsConnection> {
  readiness.waitFor('nats', 'connecting');
  const { url, user, password } = config;
  const nc = await connectNats({
    url,
    user,
    password,
    name,
    logger,
    signal: drain.signal,
    onRetry: (reason) => readiness.waitFor('nats', reason),
  });
  drain.add('nats', 'connection', () => endNats(nc));
  if (streams.length > 0) {
    const ensure = () => ensureStreams(nc, streams, { replicas: config.streamReplicas });
    await retryUntilReady({ logger, drain, readiness }, 'jetstream', ensure);
    // A server may come back without its stored streams.
    onReconnect(nc, () => void restoreStreams(nc, ensure, { logger, drain }));
  }
  readiness.waitFor('nats', undefined);
  readiness.add('nats', () => {
    if (!isConnected(nc)) throw new Error('not connected');
  });
  return nc;
}

export interface PostgresSpec {
  /** The service's schema; its roles are `<schema>_owner`, `_api` and `_sys`. */
  readonly schema: string;
  /** Run at the start. With NOVACRON_PG_MIGRATE=false the service waits until a job has run them. */
  readonly migrations: readonly Migration[];
}

/** Waits for Postgres without limit, migrates or waits for the migration job, and opens a pool for each of the service's two roles. */
export async function openPostgres(
  options: DependencyOptions,
  config: Config<typeof postgresEnv>['postgres'],
  { schema, migrations }: PostgresSpec,
): Promise<{ databases: { api: Database; sys: Database }; monitor: QueryMonitor }> {
  const { drain, readiness } = options;
  const settings = (role: DatabaseSettings['role'], password: string): DatabaseSettings => ({
    primary: config.primary,
    replicas: config.replicas,
    database: config.database,
    schema,
    role,
    password,
    ...(role === 'owner' ? {} : { max: config.poolMax }),
  });
  const api = createDatabase(settings('api', config.apiPassword));
  const sys = createDatabase(settings('sys', config.sysPassword));
  const monitor = new QueryMonitor({ api, sys, log: options.logger });
  drain.add('pools', 'postgres', async () => {
    await monitor.stop();
    await Promise.all([api.close(), sys.close()]);
  });
  await retryUntilReady(options, 'postgres', () => sys.ping());
  if (migrations.length > 0) {
    await (config.migrate
      ? runAtStart(options, settings('owner', config.ownerPassword ?? ''), migrations)
      : retryUntilReady(options, 'migrations', () => requireCurrent(sys, schema, migrations)));
  }
  // Reads continue while a replica serves them.
  readiness.add(
    'postgres',
    () => api.ping(900),
    () => sys.stats().replicas.some(({ healthy }) => healthy),
  );
  monitor.start();
  return { databases: { api, sys }, monitor };
}

async function runAtStart(
  options: DependencyOptions,
  owner: DatabaseSettings,
  migrations: readonly Migration[],
): Promise<void> {
  if (owner.password === '') throw new Error('migrations need NOVACRON_PG_OWNER_PASSWORD');
  // Only a process that migrates loads TypeORM.
  const { migrate } = await import('@novacron/postgres/migrate');
  await retryUntilReady(options, 'migrations', () => migrate(owner, { migrations }));
}

async function requireCurrent(
  sys: Database,
  schema: string,
  migrations: readonly Migration[],
): Promise<void> {
  const missing = await missingMigrations(sys, schema, migrations);
  if (missing.length === 0) return;
  throw new Error(`schema ${schema} waits for ${missing.length} migrations, ${missing[0]} the first`);
}

/** Never rejects. Ends when the connection is lost again: the next reconnect starts another. */
async function restoreStreams(
  nc: NatsConnection,
  ensure: () => Promise<void>,
  { logger, drain }: Pick<DependencyOptions, 'logger' | 'drain'>,
): Promise<void> {
  const usable = () => isConnected(nc) && !drain.signal.aborted;
  if (!usable()) return;
  await retry(ensure, {
    firstMs: LAST_RETRY_MS,
    maxMs: LAST_RETRY_MS,
    ref: false,
    retryIf: usable,
    onRetry: (err) => logger.warn({ err }, 'stream creation failed'),
  }).catch(() => undefined);
}

/** Retries a required step of the start until it succeeds or the drain begins. Meanwhile /ready shows the last reason. */
export async function retryUntilReady<T>(
  { logger, drain, readiness }: Omit<DependencyOptions, 'name'>,
  name: string,
  attempt: () => Promise<T>,
): Promise<T> {
  readiness.waitFor(name, 'trying');
  const result = await retry(attempt, {
    firstMs: FIRST_RETRY_MS,
    maxMs: LAST_RETRY_MS,
    signal: drain.signal,
    onRetry: (error, retryInMs) => {
      const reason = error instanceof Error ? error.message : String(error);
      readiness.waitFor(name, reason);
      logger.warn({ reason, retryInMs }, `${name} not ready`);
    },
  });
  readiness.waitFor(name, undefined);
  return result;
}

/** Sends buffered messages and ends. Without a connection a drain would hang, so the connection is only closed. */
async function endNats(nc: NatsConnection): Promise<void> {
  if (nc.isClosed()) return;
  if (isConnected(nc)) await nc.drain();
  else await nc.close();
}
