import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freeze } from '@novacron/testkit/freeze';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { RedisConnection, RedisUnavailable } from './connection.js';
import { scriptOf } from './script.js';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const ONE = scriptOf('return 1');

let servers: TestServers;
const open: RedisConnection[] = [];

beforeAll(async () => void (servers = await useTestServers({ redis: true, postgres: false })));
afterEach(() => open.splice(0).forEach((redis) => redis.close()));
afterAll(() => servers.stop());

async function connected(timeoutMs: number): Promise<RedisConnection> {
  const redis = new RedisConnection({ url: servers.redisUrl, timeoutMs });
  open.push(redis);
  await until(() => redis.available);
  return redis;
}

describe('a connection to Redis', () => {
  it('accepts a reply that arrived in time when this process stalled past the deadline', async () => {
    const redis = await connected(50);
    // The server knows the script now: a reply needs one round trip.
    await until(() =>
      redis.run(ONE, [], []).then(
        () => true,
        () => false,
      ),
    );
    const { failures } = redis;
    const reply = redis.run(ONE, [], []);
    await new Promise((done) => setImmediate(done));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    expect(await reply).toBe(1);
    expect(redis.failures).toBe(failures);
  });

  it('refuses commands beyond its limit, and stays available', async () => {
    const redis = await connected(20_000);
    const results = await Promise.allSettled(Array.from({ length: 3_000 }, () => redis.run(ONE, [], [])));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1_000);
    expect(redis.available).toBe(true);
    expect(redis.failures).toBe(0);
  });

  it('is kept while replies arrive, even when all of them are late', async () => {
    const server = new URL(servers.redisUrl);
    let connections = 0;
    const slow = createServer((client) => {
      connections += 1;
      const redis = connect(Number(server.port), server.hostname);
      redis.on('data', (reply) => void setTimeout(() => client.write(reply), 50));
      client.on('data', (command) => redis.write(command));
      for (const socket of [client, redis]) socket.on('error', () => undefined);
      client.on('close', () => redis.destroy());
    });
    await new Promise<void>((done) => slow.listen(0, '127.0.0.1', done));
    const url = new URL(server);
    url.host = `127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const redis = new RedisConnection({
      url: url.href,
      timeoutMs: 10,
      retryAfterMs: 1,
      deadAfterMs: 1_000,
    });
    open.push(redis);
    try {
      await until(() => redis.available);
      for (const end = performance.now() + 2_500; performance.now() < end; await sleep(20)) {
        await expect(redis.run(ONE, [], [])).rejects.toBeInstanceOf(RedisUnavailable);
      }
      expect(connections).toBe(1);
    } finally {
      redis.close();
      slow.close();
    }
  });

  it('sends nothing after five failures, until one command tests Redis with success', async () => {
    const redis = await connected(200);
    freeze(servers.redis.pid);
    try {
      for (let i = 0; i < 20; i += 1)
        await expect(redis.run(ONE, [], [])).rejects.toBeInstanceOf(RedisUnavailable);
      expect(redis.available).toBe(false);
      // Five deadlines, and a test of Redis each 250 ms.
      expect(redis.failures).toBeLessThan(20);
    } finally {
      process.kill(servers.redis.pid as number, 'SIGCONT');
    }
    await until(async () => {
      await redis.run(ONE, [], []).catch(() => undefined);
      return redis.available;
    });
  });
});
