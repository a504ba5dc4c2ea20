import { createDatabase, type Database, type DatabaseSettings, type Role } from '../src/database.js';
import { migrate } from '../src/migrate.js';
import { tenantTable } from '../src/tenancy.js';
import { startCluster, type Cluster } from './cluster.js';

export const TENANT_A = '0192aaaa-0000-7000-8000-00000000000a';
export const TENANT_B = '0192bbbb-0000-7000-8000-00000000000b';

export const INSERT = {
  name: 'thing_insert',
  text: 'INSERT INTO things (tenant_id, id, version) VALUES ($1, $2, $3)',
};
export const GET = { name: 'thing_get', text: 'SELECT * FROM things WHERE id = $1' };
export const COUNT = { name: 'thing_count', text: 'SELECT count(*) AS n FROM things' };
export const SET_VERSION = { name: 'thing_set', text: 'UPDATE things SET version = $2 WHERE id = $1' };

export class Things1700000000000 {
  name = 'Things1700000000000';

  async up(runner: { query(sql: string): Promise<unknown> }): Promise<void> {
    const table = `CREATE TABLE orchestrator.things (
      tenant_id uuid NOT NULL, id text NOT NULL, version bigint NOT NULL, body jsonb,
      PRIMARY KEY (tenant_id, id))`;
    for (const sql of [table, ...tenantTable('orchestrator', 'things')]) await runner.query(sql);
  }

  async down(runner: { query(sql: string): Promise<unknown> }): Promise<void> {
    await runner.query('DROP TABLE orchestrator.things');
  }
}

export interface PostgresHarness {
  readonly cluster: Cluster;
  open(role: Role, more?: Partial<DatabaseSettings>): Database;
  stop(): Promise<void>;
}

/** A cluster with one tenant-owned table, `things`; closes what was opened on it. */
export async function startPostgresHarness({ replica = false } = {}): Promise<PostgresHarness> {
  const cluster = await startCluster(replica);
  await migrate(cluster.settings('owner'), { migrations: [Things1700000000000] });
  const opened: Database[] = [];
  return {
    cluster,
    open(role, more) {
      const database = createDatabase(cluster.settings(role, more));
      opened.push(database);
      return database;
    },
    async stop() {
      await Promise.all(opened.map((database) => database.close()));
      cluster.destroy();
    },
  };
}
