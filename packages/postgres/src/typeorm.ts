import 'reflect-metadata';
import { DataSource, type DataSourceOptions, type MixedList } from 'typeorm';
import {
  CONNECT_TIMEOUT_MS,
  IDLE_IN_TRANSACTION_MS,
  IDLE_MS,
  STATEMENT_TIMEOUT_MS,
  loginOf,
  type DatabaseSettings,
} from './settings.js';

const LOW_RATE_MAX = 4;

type Classes = MixedList<new () => object>;

/**
 * A TypeORM DataSource on the primary, for migrations and for the comparison of entities with the schema. Entities are
 * read and written through an `EntitySet`, hot tables through a Database. Call `initialize()` before use.
 */
export function createDataSource(
  settings: DatabaseSettings,
  options: { entities?: Classes; migrations?: Classes; max?: number; statementTimeoutMs?: number } = {},
): DataSource {
  const config: DataSourceOptions = {
    type: 'postgres',
    host: settings.primary.host,
    port: settings.primary.port,
    database: settings.database,
    username: loginOf(settings),
    password: settings.password,
    schema: settings.schema,
    applicationName: `novacron-${settings.schema}-${settings.role}-orm`,
    entities: options.entities ?? [],
    migrations: options.migrations ?? [],
    migrationsTableName: 'migrations',
    // Each migration commits alone, so that one with `transaction = false` (CREATE INDEX CONCURRENTLY) can be among them.
    migrationsTransactionMode: 'each',
    installExtensions: false,
    // Silent unless DEBUG asks: its default prints to stdout, which belongs to our log; errors are thrown anyway.
    logger: 'debug',
    connectTimeoutMS: settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    poolSize: options.max ?? LOW_RATE_MAX,
    extra: {
      idleTimeoutMillis: IDLE_MS,
      statement_timeout: options.statementTimeoutMs ?? settings.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      options: `-c search_path=${settings.schema}`,
    },
  };
  return new DataSource(config);
}
