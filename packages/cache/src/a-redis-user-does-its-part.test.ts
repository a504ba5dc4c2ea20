import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RedisConnection, RedisUnavailable } from '@novacron/redis/connection';
import { scriptOf } from '@novacron/redis/script';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { createClient } from 'redis';
import type { Entry } from './entry.js';
import { L2Inspector } from './l2-inspector.js';
import { L2, type L2Place } from './l2.js';

const LINEAGE = '7412345678901234567.1';
const entry: Entry = {
  bytes: Buffer.from('x'),
  version: 1,
  position: 5n,
  seen: 6n,
  tenantId: 'ten',
  status: 200,
  filledAt: Date.now(),
  ttlMs: 60_000,
};

let servers: TestServers;
const urlOf = (service: 'gateway' | 'cache') => servers.env(service)['NOVACRON_REDIS_URL'] as string;

beforeAll(async () => {
  servers = await useTestServers({ redis: true, postgres: false });
  const admin = await createClient({ url: servers.redisUrl }).connect();
  await admin.set('private', 'secret');
  await admin.close();
});
afterAll(() => servers.stop());

describe.each(['gateway', 'cache'] as const)('the Redis user of %s', (service) => {
  it('fills, reads and invalidates the shared cache', async () => {
    const group = `${service}:vms`;
    const place: L2Place = { lineage: LINEAGE, key: `${service}:vm:a`, group };
    const l2 = new L2({ url: urlOf(service), timeoutMs: 30_000 });
    await until(() => l2.available);
    expect((await l2.get(place, 'ten', { enough: 5n, owner: 'me' })).lease).toBe('mine');
    expect(await l2.fill(place, entry, 'me')).toBe(true);
    expect((await l2.get(place, 'ten', { enough: 5n })).entry?.bytes.toString()).toBe('x');
    await l2.release(place, 'me');
    await l2.invalidate(LINEAGE, [
      { what: 'resource', key: place.key, version: 2, position: 9n },
      { what: 'group', group, position: 9n },
    ]);
    expect((await l2.get(place, 'ten', { enough: 5n })).entry).toBeUndefined();
    l2.close();
  });

  const common: [string, string[]][] = [
    ['reads a key outside of the cache', ['GET', 'private']],
    ['reads it in a script', ['EVAL', "return redis.call('GET', 'private')", '0']],
    ['lists all keys', ['KEYS', '*']],
    ['empties the server', ['FLUSHALL']],
    ['changes the configuration', ['CONFIG', 'SET', 'maxmemory', '1']],
    ['reads the configuration', ['CONFIG', 'GET', 'requirepass']],
    ['reads the users', ['ACL', 'LIST']],
    ['listens to a channel', ['SUBSCRIBE', 'a']],
    ['watches others', ['MONITOR']],
    ['stops the server', ['SHUTDOWN', 'NOSAVE']],
    ['makes it a replica', ['REPLICAOF', '127.0.0.1', '1']],
  ];
  const own: Record<typeof service, [string, string[]]> = {
    gateway: ['scans the keys', ['SCAN', '0']],
    cache: ['reads a rate limit', ['GET', 'rate:a']],
  };
  const refused = [...common, own[service]];

  it.each(refused)('is refused when it %s', async (_what, command) => {
    const client = await createClient({
      url: urlOf(service),
      disableClientInfo: true,
      RESP: 3,
      maintNotifications: 'disabled',
    })
      .on('error', () => undefined)
      .connect();
    await expect(client.sendCommand([...command])).rejects.toThrow(/NOPERM|can't access/);
    client.destroy();
  });
});

describe('the Redis user of the gateway', () => {
  it('counts rate limits by the clock of Redis', async () => {
    const redis = new RedisConnection({ url: urlOf('gateway'), timeoutMs: 30_000 });
    await until(() => redis.available);
    const count = scriptOf(
      `redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1000) return redis.call('GET', KEYS[1])`,
    );
    expect(String(await redis.run(count, ['rate:a'], []))).toMatch(/^\d+$/);
    redis.close();
  });

  it('reports a command that Redis refuses, unlike a Redis that is away', async () => {
    const refusals: string[] = [];
    const onRefused = ({ message }: Error) => void refusals.push(message);
    const redis = new RedisConnection({ url: urlOf('gateway'), timeoutMs: 30_000, onRefused });
    await until(() => redis.available);
    const forbidden = scriptOf(`return redis.call('GET', 'private')`);
    for (let i = 0; i < 3; i += 1)
      await expect(redis.run(forbidden, [], [])).rejects.toThrow(RedisUnavailable);
    expect(refusals).toEqual([expect.stringMatching(/NOPERM|can't access/)]);
    await redis.run(scriptOf('return 1'), [], []);
    await expect(redis.run(forbidden, [], [])).rejects.toThrow(RedisUnavailable);
    expect(refusals).toHaveLength(2);
    redis.close();
  });
});

describe('the Redis user of the cache invalidator', () => {
  it('samples the keyspace and reads its size', async () => {
    const inspector = new L2Inspector({ url: urlOf('cache'), timeoutMs: 30_000 });
    await until(() =>
      inspector.size().then(
        () => true,
        () => false,
      ),
    );
    expect((await inspector.size()).keys).toBeGreaterThan(0);
    await expect(inspector.sample(LINEAGE, 10)).resolves.toEqual(expect.any(Array));
    inspector.close();
  });
});

describe('Redis', () => {
  it('refuses a client without a login, and one service with the password of another', async () => {
    const [gateway, cache] = [new URL(urlOf('gateway')), new URL(urlOf('cache'))];
    const anonymous = createClient({ url: `redis://${gateway.host}`, socket: { reconnectStrategy: false } });
    anonymous.on('error', () => undefined);
    await expect(anonymous.connect().then(() => anonymous.get('private'))).rejects.toThrow(/NOAUTH/);
    anonymous.destroy();
    gateway.password = cache.password;
    const wrong = createClient({ url: String(gateway), socket: { reconnectStrategy: false } });
    wrong.on('error', () => undefined);
    await expect(wrong.connect()).rejects.toThrow(/WRONGPASS/);
  });
});
