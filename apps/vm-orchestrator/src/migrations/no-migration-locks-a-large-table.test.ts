import { describe, expect, it } from '@jest/globals';
import type { Migration } from '@novacron/postgres/migrate';
import type { QueryRunner } from 'typeorm';
import { MIGRATIONS } from './all.js';

const [, ...LATER] = MIGRATIONS;

/** The statements of a migration's `up`, in order. */
async function statements(migration: Migration): Promise<string[]> {
  const said: string[] = [];
  const runner = { query: async (sql: string) => void said.push(sql) };
  await new migration().up(runner as unknown as QueryRunner);
  return said;
}

/** The plain CREATE INDEX statements on tables that the migration finds: they lock out writes until they end. */
function blocking(sql: readonly string[]): string[] {
  const made = sql.flatMap((text) => /^CREATE TABLE (?:IF NOT EXISTS )?(\S+)/.exec(text)?.[1] ?? []);
  return sql.filter((text) => {
    const table = /^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)[\s\S]*?\bON (\S+)/.exec(text)?.[1];
    return table !== undefined && !made.includes(table);
  });
}

describe('a migration of a database in use', () => {
  it.each(LATER.map((migration) => [migration.name, migration] as const))(
    '%s builds no index while it locks the table',
    async (_name, migration) => {
      const sql = await statements(migration);
      expect(blocking(sql)).toEqual([]);
      const beside = sql.some((text) => text.includes('CONCURRENTLY'));
      expect(new migration().transaction ?? true).toBe(!beside);
    },
  );

  it('is distinguished from one on a table of the same migration', () => {
    expect(blocking(['CREATE INDEX a ON vms (id)', 'CREATE UNIQUE INDEX b ON jobs (id)'])).toHaveLength(2);
    expect(blocking(['CREATE TABLE t (id int)', 'CREATE INDEX a ON t (id)'])).toEqual([]);
    expect(blocking(['CREATE INDEX CONCURRENTLY a ON vms (id)'])).toEqual([]);
  });
});
