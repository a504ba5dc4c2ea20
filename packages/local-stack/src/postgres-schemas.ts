import { SUPERUSER_SQL } from '@novacron/postgres/superuser-sql';
import pg from 'pg';
import { adminConnection, replicationUser } from './postgres-server.js';

/** One schema for each service that owns data. */
export const schemas = ['gateway', 'orchestrator', 'metrics', 'cache'] as const;
export type Schema = (typeof schemas)[number];

/** owner: migrations. api: serves tenants, under row-level security. sys: workers, relay, ingest. */
export const roleKinds = ['owner', 'api', 'sys'] as const;
export type RoleKind = (typeof roleKinds)[number];
export type RolePasswords = Readonly<Record<Schema, Readonly<Record<RoleKind, string>>>>;

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

async function ensureRole(
  client: pg.Client,
  name: string,
  attributes: string,
  password: string,
): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
  const verb = rowCount ? 'ALTER' : 'CREATE';
  await client.query(`${verb} ROLE ${name} LOGIN ${attributes} PASSWORD ${client.escapeLiteral(password)}`);
}

/** Creates or updates the roles of all services, which belong to the whole cluster. */
export async function ensureRoles(
  server: Server,
  passwords: RolePasswords,
  replicationPassword: string,
): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    await ensureRole(client, replicationUser, 'REPLICATION', replicationPassword);
    for (const schema of schemas) {
      for (const kind of roleKinds) {
        const role = `${schema}_${kind}`;
        // COPY does not work under row-level security, and workers serve every tenant.
        await ensureRole(client, role, kind === 'sys' ? 'BYPASSRLS' : 'NOBYPASSRLS', passwords[schema][kind]);
        await client.query(`ALTER ROLE ${role} SET search_path = ${schema}`);
        // The query monitor reads statistics of the other roles of its service.
        if (kind === 'sys') await client.query(`GRANT pg_read_all_stats TO ${role}`);
      }
    }
  });
}

async function ensureSchemas(client: pg.Client, database: string): Promise<void> {
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
  for (const sql of SUPERUSER_SQL) await client.query(sql);
  await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  for (const schema of schemas) {
    const roles = roleKinds.map((kind) => `${schema}_${kind}`).join(', ');
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${schema}_owner`);
    await client.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${roles}`);
    await client.query(`GRANT USAGE ON SCHEMA ${schema} TO ${roles}`);
    // pg_stat_statements lies there, for the query monitor.
    await client.query(`GRANT USAGE ON SCHEMA public TO ${schema}_sys`);
  }
}

/** Creates the database with its schemas, or brings an existing one up to date. Roles must exist. */
export async function ensureDatabase(server: Server, database: string): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (!rowCount) await client.query(`CREATE DATABASE ${database}`);
  });
  await asAdmin(server, database, (client) => ensureSchemas(client, database));
}

/** A copy of a database that ensureDatabase made: quicker than making one. */
export async function copyDatabase(server: Server, template: string, database: string): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    await client.query(`CREATE DATABASE ${database} TEMPLATE ${template}`);
    const roles = schemas.flatMap((schema) => roleKinds.map((kind) => `${schema}_${kind}`)).join(', ');
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    await client.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${roles}`);
  });
}

/** Drops a database and whoever is connected to it. */
export async function dropDatabase(server: Server, database: string): Promise<void> {
  await asAdmin(server, 'postgres', (client) =>
    client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  );
}
