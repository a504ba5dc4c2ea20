import type { Database } from './database.js';
import { codeOf } from './failure.js';
import type { Migration } from './migrate.js';

const UNDEFINED_TABLE = '42P01';
const INSUFFICIENT_PRIVILEGE = '42501';

/** What TypeORM writes into the table of migrations that ran. */
function nameOf(migration: Migration): string {
  return new migration().name ?? migration.name;
}

/**
 * The names of those migrations that have not run in the schema, read under the `_sys` role: for a service that does
 * not migrate itself. A migration that has run and is not in the list is of a newer version, and harmless.
 */
export async function missingMigrations(
  sys: Database,
  schema: string,
  migrations: readonly Migration[],
): Promise<string[]> {
  const done = await doneMigrations(sys, schema);
  return migrations.map(nameOf).filter((name) => !done.has(name));
}

async function doneMigrations(sys: Database, schema: string): Promise<Set<string>> {
  try {
    const { rows } = await sys.primary.query<{ name: string }>(
      { name: 'nc_migrations', text: `SELECT name FROM ${schema}.migrations`, table: 'migrations' },
      [],
    );
    return new Set(rows.map(({ name }) => name));
  } catch (error) {
    const code = codeOf(error);
    // No table, or no right to read it yet: the first migration has not ended.
    if (code === UNDEFINED_TABLE || code === INSUFFICIENT_PRIVILEGE) return new Set();
    throw error;
  }
}
