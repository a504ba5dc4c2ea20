import {
  databaseSql,
  QUIET_SQL,
  replicationRoleSql,
  type RolePasswords,
  rolesSql,
  schemasSql,
  type ServiceRole,
} from '@novacron/provisioning/postgres-roles';
import { scramVerifier } from '@novacron/provisioning/scram';
import pg from 'pg';
import { adminConnection } from './postgres-server.js';

type Server = { readonly port: number; readonly adminPassword: string };

/** Runs `work` on one superuser connection to `database`. */
export async function asAdmin<T>(
  server: Server,
  database: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(adminConnection(server, database));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Creates or updates the roles of all services. Roles belong to the whole cluster. */
export async function ensureRoles(
  server: Server,
  passwords: RolePasswords,
  replicationPassword: string,
): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    const verifier = (password: string) => client.escapeLiteral(scramVerifier(password));
    await runAll(client, [
      ...QUIET_SQL,
      ...replicationRoleSql(verifier(replicationPassword)),
      ...rolesSql(({ schema, kind }: ServiceRole) => verifier(passwords[schema][kind])),
    ]);
  });
}

async function runAll(client: pg.Client, statements: readonly string[]): Promise<void> {
  for (const sql of statements) await client.query(sql);
}

/** Creates the database with its schemas, or updates an existing one. The roles must exist. */
export async function ensureDatabase(server: Server, database: string): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (!rowCount) await client.query(`CREATE DATABASE ${database}`);
  });
  await asAdmin(server, database, (client) => runAll(client, schemasSql(client.escapeIdentifier(database))));
}

/** Copies a database that ensureDatabase made, which is faster than a new one. */
export async function copyDatabase(server: Server, template: string, database: string): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    await client.query(`CREATE DATABASE ${database} TEMPLATE ${template}`);
    await runAll(client, databaseSql(client.escapeIdentifier(database)));
  });
}

/** Drops a database and ends its connections. */
export async function dropDatabase(server: Server, database: string): Promise<void> {
  await asAdmin(server, 'postgres', (client) =>
    client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  );
}
