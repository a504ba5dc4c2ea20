import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { postgresEnv } from '@novacron/config/fragments';
import { loadConfig } from '@novacron/config/load';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { hashApiToken } from '../../src/auth/api-token.js';
import { findTokenIn } from '../../src/auth/find-token.js';
import { newSeed, seed } from '../support/process.js';

const seeded = newSeed();
let servers: TestServers;
let sys: Database;

beforeAll(async () => {
  servers = await useTestServers();
  await seed(servers, seeded);
  const { postgres } = loadConfig(postgresEnv, servers.env('gateway'));
  const { primary, database, sysPassword: password } = postgres;
  sys = createDatabase({ primary, database, schema: 'gateway', role: 'sys', password, max: 1 });
});
afterAll(async () => {
  await sys?.close();
  await servers?.stop();
});

async function rate(): Promise<number | null | undefined> {
  const key = Buffer.from(servers.env('gateway')['NOVACRON_TOKEN_HASH_KEY'] ?? '', 'hex');
  const found = await findTokenIn(sys, () => undefined)(hashApiToken(key, seeded.token));
  return found?.caller.ratePerSecond;
}
const change = (text: string) => sys.transaction({}, (tx) => tx.query({ text }, []));

it('a seeded token has no limit, another one its tenant’s, or 2,000 a second', async () => {
  expect(await rate()).toBeNull();
  await change('UPDATE gateway.api_tokens SET unlimited = false');
  expect(await rate()).toBe(2_000);
  await change('UPDATE gateway.tenants SET rate_per_second = 300');
  expect(await rate()).toBe(300);
});

it('a tenant cannot have a rate of zero', async () => {
  await expect(change('UPDATE gateway.tenants SET rate_per_second = 0')).rejects.toThrow(/check constraint/);
});

it('seeding again takes the limit away again', async () => {
  await seed(servers, seeded);
  expect(await rate()).toBeNull();
});
