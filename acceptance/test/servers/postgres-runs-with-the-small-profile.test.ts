import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { smallProfile } from '@novacron/local-stack/servers/postgres-config';
import { type TestServers, useTestServers } from '@novacron/testkit/servers';
import pg from 'pg';

/** The guide's values, unchanged. */
const GUIDE = {
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '4MB',
  maintenance_work_mem: '64MB',
  wal_buffers: '16MB',
  checkpoint_completion_target: '0.9',
  max_wal_size: '1GB',
  min_wal_size: '80MB',
};
/** Higher, because many test files use a test cluster at once. */
const OVERRIDDEN = { max_connections: '600' };

let servers: TestServers;
beforeAll(async () => {
  servers = await useTestServers({ replica: true });
});
afterAll(() => servers?.stop());

const profile = () =>
  Object.fromEntries(
    [...readFileSync(smallProfile, 'utf8').matchAll(/^([a-z_.]+) = '(.*?)'/gm)].map(([, name, value]) => [
      name as string,
      value as string,
    ]),
  );

describe.each(['primary', 'replica'] as const)('the %s', (server) => {
  const running = async (names: readonly string[]): Promise<Record<string, string>> => {
    const url = new URL(servers.adminUrl());
    if (server === 'replica') url.port = String(servers.cluster?.replicaPort('replica'));
    const client = new pg.Client(url.href);
    await client.connect();
    try {
      const { rows } = await client.query<{ name: string; value: string }>(
        'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS name',
        [names],
      );
      return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
    } finally {
      await client.end();
    }
  };

  it('runs with the guide’s eight values', async () => {
    expect(await running(Object.keys(GUIDE))).toEqual(GUIDE);
  });

  it('runs with every setting of infra/postgres/small.conf', async () => {
    const wanted = profile();
    expect(Object.keys(wanted)).toHaveLength(28);
    expect(await running(Object.keys(wanted))).toEqual({ ...wanted, ...OVERRIDDEN });
  });
});
