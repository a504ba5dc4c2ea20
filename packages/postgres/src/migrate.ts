import { sleep } from '@novacron/async/sleep';
import type { MigrationInterface } from 'typeorm';
import { translate } from './failure.js';
import { Connection } from './connection.js';
import { loginOf, type DatabaseSettings } from './settings.js';
import type { Statement } from './statement.js';
import { tenancyBase } from './tenancy.js';
import { createDataSource } from './typeorm.js';

const LOCK_TIMEOUT_MS = 120_000;
const LOCK_EVERY_MS = 100;
/** A migration may take longer than a request. A change that would lock a live table for so long is written otherwise. */
const MIGRATION_STATEMENT_TIMEOUT_MS = 10 * 60_000;

const TRY_LOCK: Statement = {
  name: 'nc_migrate_lock',
  text: "SELECT pg_try_advisory_lock(hashtextextended('novacron:migrate:' || $1, 0)) AS locked",
  table: 'none',
};

export type Migration = new () => MigrationInterface;

/**
 * Brings a schema up to date as its owner: the tenancy function, then the migrations that have not run, each
 * in a transaction of its own, in the order of the timestamps in their names. Processes that start together
 * run them once. The schema and the three roles exist already.
 * @returns the names of the migrations that ran
 */
export async function migrate(
  settings: DatabaseSettings,
  options: { migrations: readonly Migration[] },
): Promise<string[]> {
  if (settings.role !== 'owner') throw new Error(`migrations run as the owner, not as ${loginOf(settings)}`);
  try {
    const lock = await takeLock(settings);
    try {
      return await run(settings, options.migrations);
    } finally {
      await lock.close();
    }
  } catch (error) {
    throw translate(error);
  }
}

/**
 * Holds the advisory lock of the schema until its connection is closed. It is polled: a session that waits inside of
 * the statement would hold a snapshot, for which CREATE INDEX CONCURRENTLY waits.
 */
async function takeLock(settings: DatabaseSettings): Promise<Connection> {
  const connection = await Connection.open(settings, settings.primary);
  const until = performance.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    const [answer] = await connection.run([{ statement: TRY_LOCK, params: [settings.schema] }]);
    if (answer?.rows[0]?.locked === true) return connection;
    if (performance.now() > until) {
      await connection.close();
      throw new Error(
        `another process has been migrating schema ${settings.schema} for ${LOCK_TIMEOUT_MS / 1000} s`,
      );
    }
    await sleep(LOCK_EVERY_MS);
  }
}

async function run(settings: DatabaseSettings, migrations: readonly Migration[]): Promise<string[]> {
  const source = createDataSource(settings, {
    migrations: [...migrations],
    max: 2,
    statementTimeoutMs: MIGRATION_STATEMENT_TIMEOUT_MS,
  });
  await source.initialize();
  try {
    for (const sql of tenancyBase(settings.schema)) await source.query(sql);
    const done = await source.runMigrations();
    // A service that does not migrate itself reads here whether it may start.
    await source.query(`GRANT SELECT ON ${settings.schema}.migrations TO ${settings.schema}_sys`);
    return done.map((migration) => migration.name);
  } finally {
    await source.destroy();
  }
}

/** Runs SQL statements in order: for the `up` of a migration. */
export async function runAll(
  runner: { query(sql: string): Promise<unknown> },
  ...sql: (string | string[])[]
): Promise<void> {
  for (const statement of sql.flat()) await runner.query(statement);
}
