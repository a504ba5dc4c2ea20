import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@novacron/local-stack/config';
import { asAdmin, dropDatabase } from '@novacron/local-stack/servers/postgres-admin';
import { requirePostgres } from '@novacron/local-stack/servers/programs';
import { roleName, serviceRoles } from '@novacron/provisioning/postgres-roles';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';

const file = join(repositoryRoot, 'infra', 'postgres', 'bootstrap.sql');
let servers: TestServers;
let database: string;

const cluster = () => {
  if (servers.cluster === undefined) throw new Error('started without Postgres');
  return servers.cluster.file;
};

/** The current passwords, because the roles belong to the shared cluster. */
function passwords(): Record<string, string> {
  const { roles, replicationPassword } = cluster();
  const all = serviceRoles.map((role) => [
    `NOVACRON_PG_${roleName(role).toUpperCase()}_PASSWORD`,
    roles[role.schema][role.kind],
  ]);
  return { NOVACRON_PG_REPLICATION_PASSWORD: replicationPassword, ...Object.fromEntries(all) };
}

async function bootstrap(env: Record<string, string>, ...args: string[]): Promise<void> {
  const psql = join(requirePostgres(), 'psql');
  await promisify(execFile)(psql, ['-X', '-q', '-d', servers.adminUrl(database), ...args, '-f', file], {
    env,
  });
}

/** The schemas, functions, grants and extensions of a database. */
async function rightsIn(name: string): Promise<unknown> {
  return asAdmin(cluster(), name, async (client) => {
    const schemas = `SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace
      WHERE nspname !~ '^pg_' ORDER BY nspname`;
    const functions = `SELECT proname, prosrc, proacl::text, prosecdef FROM pg_proc
      WHERE pronamespace = 'novacron'::regnamespace ORDER BY proname`;
    const access = 'SELECT datacl::text FROM pg_database WHERE datname = current_database()';
    const extensions = 'SELECT extname FROM pg_extension ORDER BY extname';
    const answers: unknown[] = [];
    for (const sql of [schemas, functions, access, extensions]) answers.push((await client.query(sql)).rows);
    return answers;
  });
}

beforeAll(async () => {
  servers = await useTestServers();
  database = `${servers.database}_psql`;
  await asAdmin(cluster(), 'postgres', (client) => client.query(`CREATE DATABASE ${database}`));
}, 60_000);
afterAll(async () => {
  await dropDatabase(cluster(), database);
  await servers.stop();
});

describe('infra/postgres/bootstrap.sql', () => {
  it('changes nothing when a password is missing', async () => {
    const { NOVACRON_PG_CACHE_SYS_PASSWORD: _missing, ...rest } = passwords();
    await expect(bootstrap(rest)).rejects.toThrow('cache_sys_pa');
    await expect(rightsIn(database)).rejects.toThrow('schema "novacron" does not exist');
  });

  it('creates the same as the local stack, also by a psql variable, twice, and two at once', async () => {
    const { NOVACRON_PG_GATEWAY_API_PASSWORD: gatewayApi, ...rest } = passwords();
    const variable = ['-v', `gateway_api_password=${gatewayApi}`];
    await Promise.all([bootstrap(rest, ...variable), bootstrap(passwords())]);
    await bootstrap(passwords());
    expect(await rightsIn(database)).toEqual(await rightsIn(servers.database));
  });
});
