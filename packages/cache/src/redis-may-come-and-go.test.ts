import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '@novacron/async/sleep';
import { freeze } from '@novacron/testkit/freeze';
import { useTestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { createClient } from 'redis';
import { Cache, type ReadRequest } from './cache.js';
import { keyOf } from './change.js';
import { L2, LEASE_MS, type L2Place } from './l2.js';
import { LINEAGE, rules, Source, TENANT } from './source.harness.js';

type Servers = Awaited<ReturnType<typeof useTestServers>>;

/** A read that waits where it should not waits until a lease ends, or without limit. */
const BOUND_MS = LEASE_MS - 100;
const place: L2Place = { lineage: LINEAGE, key: keyOf(TENANT, 'vm', 'a'), group: null };

let servers: Servers;
let url: string;
let source: Source;
const open: L2[] = [];

beforeAll(async () => {
  servers = await useTestServers({ redis: true, postgres: false });
  url = servers.redisUrl;
});
beforeEach(() => {
  source = new Source();
});
afterEach(async () => {
  for (const l2 of open.splice(0)) l2.close();
  await flush();
});
afterAll(() => servers.stop());

async function flush(): Promise<void> {
  const redis = await createClient({ url }).connect();
  await redis.flushAll();
  await redis.close();
}

/** A process: its own L1 and its own connection. */
async function process_(options: { timeoutMs?: number; deadAfterMs?: number } = {}) {
  const l2 = new L2({ url, timeoutMs: 20_000, ...options });
  open.push(l2);
  await until(() => l2.available);
  const cache = new Cache({ maxBytes: 1e6, l2, rules });
  const mark = () =>
    cache.coherence.onWatermark(source.seq, { systemId: '7', timeline: 1, lsn: source.flush });
  mark();
  mark();
  return { l2, cache, mark, held: async () => (await l2.get(place, TENANT, { enough: 'stale' })).entry };
}

/** The real Redis behind a connection with a delay of `ms` in each direction, and the number of commands. */
async function slowProxy(to: number, ms: number): Promise<{ port: number; asked: number; end: () => void }> {
  const sockets: Socket[] = [];
  const pass = (from: Socket, on: Socket) => {
    sockets.push(from);
    from.on('data', (chunk) => void setTimeout(() => on.destroyed || on.write(chunk), ms));
    from.on('error', () => on.destroy()).on('close', () => on.destroy());
  };
  const server = createServer((client) => {
    const redis = connect(to, '127.0.0.1');
    client.on('data', () => (proxy.asked += 1));
    pass(client, redis);
    pass(redis, client);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const end = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const proxy = { port: (server.address() as AddressInfo).port, asked: 0, end };
  return proxy;
}

async function timed(cache: Cache, request: ReadRequest): Promise<string> {
  const startedAt = performance.now();
  const { entry, servedFrom } = await cache.read(request);
  expect(performance.now() - startedAt).toBeLessThan(BOUND_MS);
  return `${entry.bytes.toString()} ${servedFrom}`;
}

describe('processes that share Redis', () => {
  it('share one load: the second process finds the entry there', async () => {
    const one = await process_();
    const two = await process_();
    expect(await timed(one.cache, source.request())).toBe('v1 replica');
    await until(async () => (await one.held()) !== undefined);
    expect(await timed(two.cache, source.request())).toBe('v1 l2');
    expect(await timed(two.cache, source.request())).toBe('v1 l1');
    expect(source.loads).toBe(1);
  });

  it('make one load together when both miss at once', async () => {
    const one = await process_();
    const two = await process_();
    const loads: number[] = [];
    // One process waits 60 ms for the other: a machine that stalls needs several tries.
    while (loads.length < 20 && !loads.includes(1)) {
      const before = source.loads;
      const request = source.request({ token: 100n, id: `m${loads.length}` });
      await Promise.all([...Array(500)].map((_, i) => (i % 2 ? one : two).cache.read(request)));
      loads.push(source.loads - before);
    }
    expect(loads).toContain(1);
    expect(Math.max(...loads)).toBeLessThanOrEqual(2);
  });

  it('wait only a moment for a process that took the lease and died', async () => {
    const one = await process_();
    await one.l2.get(place, TENANT, { enough: null, owner: 'a process that died' });
    expect(await timed(one.cache, source.request())).toBe('v1 replica');
  });

  it('answer with an entry that is older than the token when the watermark vouches for it', async () => {
    const one = await process_();
    await one.cache.read(source.request());
    await until(async () => (await one.held()) !== undefined);
    const two = await process_();
    // Other resources were written. All their invalidations have been applied here.
    source.flush = 150n;
    two.mark();
    expect(await timed(two.cache, source.request({ token: 140n }))).toBe('v1 l2');
    expect(source.loads).toBe(1);
  });
});

describe('a Redis whose tombstones were flushed', () => {
  it('accepts a late fill, and does not answer readers that have observed more with it', async () => {
    const one = await process_();
    const two = await process_();
    // Read before the write, sent after the flush.
    const late = await source.load(null);
    const filledAt = Date.now();
    const token = source.write();
    const message = source.invalidation();
    const { lsn, version } = message.events[0] as { lsn: string; version: number };
    const change = { what: 'resource' as const, key: place.key, version, position: BigInt(lsn) };
    await one.l2.invalidate(LINEAGE, [change]);
    one.cache.coherence.onInvalidation(message);
    two.cache.coherence.onInvalidation(message);
    source.flush += 1n;
    one.mark();
    two.mark();
    await flush();
    const entry = { ...late, tenantId: TENANT, filledAt, ttlMs: 300_000 };
    expect(await one.l2.fill(place, entry)).toBe(true);

    // One reader with the token of the write, and one without that reads after the invalidation was published.
    expect(await timed(two.cache, source.request({ token }))).toBe('v2 replica');
    await one.l2.fill(place, entry);
    expect(await timed(one.cache, source.request())).toMatch(/^v2/);
  });

  it('accepts a late fill, and a process that has just started does not answer with it', async () => {
    const one = await process_();
    const late = await source.load(null);
    source.write();
    source.flush += 5n;
    const entry = { ...late, tenantId: TENANT, filledAt: Date.now(), ttlMs: 300_000 };
    await one.l2.fill(place, entry);
    const l2 = new L2({ url, timeoutMs: 20_000 });
    open.push(l2);
    await until(() => l2.available);
    const started = new Cache({ maxBytes: 1e6, l2, rules });
    started.coherence.setLineage(LINEAGE);
    expect(await timed(started, source.request())).toBe('v2 replica');
    // The first watermarks are beyond the entry: they do not vouch for it either.
    await one.l2.fill(place, entry);
    const two = await process_();
    expect(await timed(two.cache, source.request())).not.toMatch(/^v1/);
  });

  it('behaves as an empty one', async () => {
    const one = await process_();
    await one.cache.read(source.request());
    await until(async () => (await one.held()) !== undefined);
    await flush();
    const two = await process_();
    expect(await timed(two.cache, source.request())).toBe('v1 replica');
  });
});

describe('while Redis', () => {
  /** Sequential reads that no L1 can answer, each in bounded time. @returns the longest, ms */
  async function misses(cache: Cache, count: number): Promise<number> {
    let longest = 0;
    for (let i = 0; i < count; i += 1) {
      const startedAt = performance.now();
      await cache.read(source.request({ id: `x${i}` }));
      longest = Math.max(longest, performance.now() - startedAt);
    }
    expect(longest).toBeLessThan(BOUND_MS);
    return longest;
  }

  it('is stopped, reads take bounded time and soon do not wait; afterwards Redis is used again', async () => {
    const { l2, cache } = await process_({ timeoutMs: 300 });
    freeze(servers.redis.pid);
    try {
      const startedAt = performance.now();
      await misses(cache, 100);
      // Five deadlines, then a test of Redis from time to time: not 100 × 300 ms.
      expect(performance.now() - startedAt).toBeLessThan(20_000);
      expect(l2.available).toBe(false);
    } finally {
      process.kill(servers.redis.pid as number, 'SIGCONT');
    }
    await until(async () => {
      await cache.read(source.request({ id: `y${Math.random()}` }));
      return l2.available;
    });
  });

  it('is slow to answer, a read makes two lookups at most', async () => {
    const proxy = await slowProxy(Number(new URL(url).port), 18);
    const slow = new URL(url);
    slow.port = String(proxy.port);
    const l2 = new L2({ url: slow.toString() });
    open.push(l2);
    const cache = new Cache({ maxBytes: 1e6, l2, rules });
    cache.coherence.setLineage(LINEAGE);
    try {
      await until(() => l2.available);
      await l2.get(place, TENANT, { enough: 0n, owner: 'a process that died' }).catch(() => undefined);
      const before = proxy.asked;
      let looks = 0;
      const load = (token: bigint | null) => {
        looks = proxy.asked - before;
        return source.load(token);
      };
      await timed(cache, source.request({ token: 100n, load }));
      expect([1, 2]).toContain(looks);
      await misses(cache, 10);
    } finally {
      proxy.end();
    }
  });

  it('is silent for long, the connection is made anew', async () => {
    const { l2, cache } = await process_({ timeoutMs: 50, deadAfterMs: 300 });
    freeze(servers.redis.pid);
    try {
      for (const end = Date.now() + 1_500; Date.now() < end;) {
        await misses(cache, 1);
        await sleep(30);
      }
    } finally {
      process.kill(servers.redis.pid as number, 'SIGCONT');
    }
    await until(async () => {
      await cache.read(source.request({ id: `y${Math.random()}` }));
      return l2.available;
    });
  });

  it('is killed, reads go on; and a new server that does not know the scripts is used', async () => {
    const { l2, cache, held } = await process_({ timeoutMs: 200 });
    await servers.redis.kill();
    try {
      await misses(cache, 100);
      expect(l2.available).toBe(false);
    } finally {
      await servers.redis.start();
    }
    await until(async () => {
      await cache.read(source.request({ id: `y${Math.random()}` }));
      return l2.available;
    });
    await cache.read(source.request());
    await until(async () => (await held().catch(() => undefined)) !== undefined);
  });

  it('is absent, every lookup in L2 is a miss', async () => {
    const l2 = new L2({ url: 'redis://127.0.0.1:1' });
    open.push(l2);
    const cache = new Cache({ maxBytes: 1e6, l2, rules });
    cache.coherence.setLineage(LINEAGE);
    await misses(cache, 50);
    expect(cache.stats().l2).toMatchObject({ available: false });
  });
});
