import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from '@novacron/postgres/migrate';
import { createDataSource } from '@novacron/postgres/typeorm';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { tenancyClasses } from '../src/auth/entities.js';
import { migrations } from '../src/migrations/all.js';

let servers: TestServers;
let source: ReturnType<typeof createDataSource>;

beforeAll(async () => {
  servers = await useTestServers();
  const env = servers.env('gateway');
  const [host, port] = String(env['NOVACRON_PG_PRIMARY']).split(':') as [string, string];
  const owner = {
    primary: { host, port: Number(port) },
    database: servers.database,
    schema: 'gateway',
    role: 'owner',
    password: String(env['NOVACRON_PG_OWNER_PASSWORD']),
  } as const;
  await migrate(owner, { migrations });
  source = await createDataSource(owner, { entities: tenancyClasses }).initialize();
});
afterAll(async () => {
  await source?.destroy();
  await servers?.stop();
});

describe('the entities of the gateway', () => {
  it('leave nothing to change in the migrated schema', async () => {
    const { upQueries } = await source.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });
});
