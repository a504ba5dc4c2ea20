import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { migrate } from '@novacron/postgres/migrate';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { migrations } from '../../src/migrations/all.js';
import { seedTenant } from '../../src/auth/seed-tenant.js';

let servers: TestServers;
const tenant = { id: newId<string>(), name: 'demo' };
const open: Database[] = [];

function settings(role: 'owner' | 'api' | 'sys') {
  const env = servers.env('gateway');
  const [host, port] = String(env.NOVACRON_PG_PRIMARY).split(':') as [string, string];
  return {
    primary: { host, port: Number(port) },
    database: servers.database,
    schema: 'gateway',
    role,
    password: String(env[`NOVACRON_PG_${role.toUpperCase()}_PASSWORD`]),
  };
}

function as(role: 'api' | 'sys'): Database {
  const db = createDatabase(settings(role));
  open.push(db);
  return db;
}

beforeAll(async () => {
  servers = await useTestServers();
  await migrate(settings('owner'), { migrations });
  const tokens = [{ name: 'viewer', token: 'a-token', roles: ['viewer'] as const }];
  await seedTenant(as('sys'), Buffer.alloc(32), tenant, tokens);
});
afterAll(async () => {
  await Promise.all(open.map((db) => db.close()));
  await servers.stop();
});

describe('the role that serves requests', () => {
  it.each([
    ['gives a token other roles', `UPDATE gateway.api_tokens SET roles = '{owner}'`],
    ['takes a token out of the rate limit', 'UPDATE gateway.api_tokens SET unlimited = true'],
    [
      'makes a token',
      `INSERT INTO gateway.api_tokens (tenant_id, id, name, hash, roles) VALUES ('${tenant.id}', '${newId<string>()}', 'x', 'x', '{owner}')`,
    ],
    ['deletes a token', 'DELETE FROM gateway.api_tokens'],
    ['reads the hash of a token', 'SELECT hash FROM gateway.api_tokens'],
    ['changes a tenant', 'UPDATE gateway.tenants SET rate_per_second = NULL'],
  ])('is refused when it %s', async (_what, text) => {
    const call = { statement: { text }, params: [] };
    await expect(as('api').primary.batch({ tenantId: tenant.id }, [call])).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('reads the tokens of its tenant', async () => {
    const text = 'SELECT name, roles FROM gateway.api_tokens';
    const { rows } = await as('api').primary.query({ text }, [], { tenantId: tenant.id });
    expect(rows).toEqual([{ name: 'viewer', roles: ['viewer'] }]);
  });
});
