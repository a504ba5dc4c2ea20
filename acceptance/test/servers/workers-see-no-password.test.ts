import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '@novacron/local-stack/config';
import { asAdmin, ensureDatabase } from '@novacron/local-stack/servers/postgres-admin';
import { requirePostgres } from '@novacron/local-stack/servers/programs';
import { roleName, schemas, serviceRoles } from '@novacron/provisioning/postgres-roles';
import { scramVerifier } from '@novacron/provisioning/scram';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import pg from 'pg';

const folder = join(repositoryRoot, 'infra', 'postgres');
let servers: TestServers;
const clients: pg.Client[] = [];

const cluster = () => {
  if (servers.cluster === undefined) throw new Error('started without Postgres');
  return servers.cluster.file;
};

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  clients.push(client);
  return client;
}

async function texts(client: pg.Client, sql: string): Promise<string[]> {
  const { rows } = await client.query<{ query: string | null }>(sql);
  return rows.map(({ query }) => query).filter((query) => query !== null);
}

/** The current passwords of the roles, which belong to the shared cluster. */
function passwords(): Record<string, string> {
  const { roles } = cluster();
  return Object.fromEntries(
    serviceRoles.map((role) => [
      `NOVACRON_PG_${roleName(role).toUpperCase()}_PASSWORD`,
      roles[role.schema][role.kind],
    ]),
  );
}

function psql(env: Record<string, string>): void {
  const args = ['-X', '-q', '-d', servers.adminUrl(), '-f', join(folder, 'bootstrap.sql')];
  execFileSync(join(requirePostgres(), 'psql'), args, { env, stdio: 'pipe' });
}

/** All statements in the server's statistics that contain a password, read by a superuser. */
const kept = () =>
  asAdmin(cluster(), servers.database, async (client) => {
    const all = await texts(client, 'SELECT query FROM public.pg_stat_statements');
    return all.filter((query) => /password/i.test(query));
  });

beforeAll(async () => {
  servers = await useTestServers();
  for (const schema of schemas) {
    const api = await connect(servers.roleUrl(schema, 'api'));
    await api.query(`SELECT 1 AS "of_${schema}"`);
  }
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await servers.stop();
});

describe('the password of a role', () => {
  it('is stored as a SCRAM verifier and does not occur in any statement', async () => {
    psql(passwords());
    expect(await kept()).toEqual([]);
    const stored = await asAdmin(cluster(), servers.database, async (client) => {
      const names = serviceRoles.map(roleName);
      const sql = 'SELECT rolpassword FROM pg_authid WHERE rolname = ANY ($1)';
      return (await client.query<{ rolpassword: string }>(sql, [names])).rows;
    });
    expect(stored).toHaveLength(serviceRoles.length);
    for (const { rolpassword } of stored) expect(rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/);
  });

  it('is accepted when the script beside bootstrap.sql computed its verifier', async () => {
    const script = join(folder, 'verifiers.generated.mjs');
    const lines = execFileSync(process.execPath, [script], { env: passwords() }).toString();
    for (const password of Object.values(passwords())) expect(lines).not.toContain(password);
    const verifiers = lines.matchAll(/^export (\w+)='(SCRAM-SHA-256[^']+)'$/gm);
    psql(Object.fromEntries([...verifiers].map(([, name, value]) => [name as string, value as string])));
    const again = await connect(servers.roleUrl('cache', 'sys'));
    expect((await again.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('is deleted from the statistics of a server that recorded it earlier', async () => {
    const name = `forgotten_${servers.database}`;
    // Another test file that creates a database at the same time deletes it too.
    await until(async () => {
      await asAdmin(cluster(), servers.database, async (client) => {
        await client.query('SET pg_stat_statements.track_utility = on');
        await client.query(`CREATE ROLE ${name} PASSWORD 'from-earlier'`);
        await client.query(`DROP ROLE ${name}`);
      });
      return (await kept()).some((query) => query.includes(name));
    });
    await ensureDatabase(cluster(), servers.database);
    expect(await kept()).toEqual([]);
  });

  it('has a new verifier each time, and a verifier is returned unchanged', () => {
    const [one, two] = [scramVerifier('a'), scramVerifier('a')];
    expect(one).not.toBe(two);
    expect(scramVerifier(one)).toBe(one);
    expect(() => scramVerifier('grün')).toThrow('printable ASCII');
  });
});

describe.each(schemas)('a worker of %s', (schema) => {
  let worker: pg.Client;
  const foreign = schemas.filter((other) => other !== schema);
  beforeAll(async () => {
    worker = await connect(servers.roleUrl(schema, 'sys'));
  });

  it('cannot read the current or past statements of other roles', async () => {
    await expect(worker.query('SELECT query FROM public.pg_stat_statements')).rejects.toThrow(
      /permission denied/,
    );
    const seen = await texts(worker, 'SELECT query FROM pg_stat_activity');
    for (const other of schemas) expect(seen.join()).not.toContain(`of_${other}`);
    await expect(worker.query('SELECT rolpassword FROM pg_authid')).rejects.toThrow(/permission denied/);
  });

  it('can read the sessions and statements of its own service only', async () => {
    const sessions = await texts(worker, 'SELECT query FROM novacron.service_sessions()');
    const statements = await texts(worker, 'SELECT query FROM novacron.service_statements()');
    expect(sessions.join()).toContain(`of_${schema}`);
    expect(statements.join()).toContain(`of_${schema}`);
    for (const other of foreign) {
      expect(sessions.join()).not.toContain(`of_${other}`);
      expect(statements.join()).not.toContain(`of_${other}`);
    }
    const { rows } = await worker.query('SELECT role, ours, query FROM novacron.service_sessions()');
    const strangers = rows.filter(({ role }) => !role.startsWith(`${schema}_`));
    expect(strangers.length).toBeGreaterThan(0);
    for (const stranger of strangers) expect(stranger).toMatchObject({ ours: false, query: null });
  });

  it.each(['api', 'owner'] as const)('has more rights than the role %s', async (kind) => {
    const other = await connect(servers.roleUrl(schema, kind));
    for (const name of ['service_sessions', 'service_statements'])
      await expect(other.query(`SELECT * FROM novacron.${name}()`)).rejects.toThrow(/permission denied/);
  });
});
