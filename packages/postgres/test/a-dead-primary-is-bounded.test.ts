import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@novacron/testkit/wait';
import { createServer, type Server, type Socket } from 'node:net';
import type { Database } from '../src/database.js';
import { createDatabase } from '../src/database.js';
import { withRetry } from '../src/retry.js';
import {
  COUNT,
  GET,
  INSERT,
  startPostgresHarness,
  TENANT_A,
  type PostgresHarness,
} from './postgres-harness.js';

let harness: PostgresHarness;
let api: Database;
const own = { tenantId: TENANT_A };

beforeAll(async () => {
  harness = await startPostgresHarness({ replica: true });
  // Whatever waits for longer than it should waits for this, or for a statement's 30 s.
  api = harness.open('api', { max: 4, replicas: [], acquireTimeoutMs: 60_000 });
  await api.primary.query(COUNT, [], own);
});
afterAll(() => harness?.stop());

async function soon<T>(work: Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work;
  } finally {
    expect(performance.now() - started).toBeLessThan(15_000);
  }
}

describe('while the primary is down', () => {
  it('everything fails at once with dependency_down, and works again without a restart', async () => {
    const open = api.transaction(own, async (tx) => {
      await tx.query(INSERT, [TENANT_A, 'open', 1]);
      harness.cluster.primary.stop('immediate');
      await tx.query(INSERT, [TENANT_A, 'open2', 1]);
    });
    const down = { code: 'dependency_down', retryAfterMs: expect.any(Number) };
    await expect(soon(open)).rejects.toMatchObject(down);
    await expect(soon(api.primary.query(COUNT, [], own))).rejects.toMatchObject(down);
    await expect(soon(api.primary.batch(own, []))).rejects.toMatchObject(down);
    await expect(soon(api.ping(60_000))).rejects.toMatchObject(down);
    harness.cluster.primary.start();
    await expect(api.primary.query(GET, ['open'], own)).resolves.toMatchObject({ rows: [] });
    await expect(api.ping(60_000)).resolves.toBeUndefined();
  });

  it('an idle connection that broke is not given out', async () => {
    await Promise.all([1, 2, 3, 4].map(() => api.primary.query({ text: 'SELECT pg_sleep(0.05)' })));
    harness.cluster.primary.stop('fast');
    harness.cluster.primary.start();
    await until(() => api.stats().pools[0]?.idle === 0);
    const all = [1, 2, 3, 4, 5, 6].map(() => api.primary.query(COUNT, [], own));
    await expect(Promise.all(all)).resolves.toHaveLength(6);
  });

  it('one that is there but does not answer ends in the caller’s time', async () => {
    await Promise.all([1, 2, 3, 4].map(() => api.primary.query({ text: 'SELECT pg_sleep(0.05)' })));
    // A connection that is still being opened would be waited for instead.
    await until(() => api.stats().pools[0]?.idle === 4);
    harness.cluster.primary.freeze('SIGSTOP');
    try {
      const stuck = soon(api.primary.query(COUNT, [], { ...own, timeoutMs: 300 }));
      await expect(stuck).rejects.toMatchObject({ code: 'deadline_exceeded' });
      await expect(soon(api.ping(300))).rejects.toMatchObject({ code: 'dependency_down' });
    } finally {
      harness.cluster.primary.freeze('SIGCONT');
    }
    await until(async () => (await api.primary.query(COUNT, [], own)).rowCount === 1);
  });

  it('one whose machine takes connections and says nothing ends after the connect time', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const settings = harness.cluster.settings('api', {
      primary: { host: '127.0.0.1', port },
      connectTimeoutMs: 300,
    });
    const database = createDatabase({ ...settings, replicas: [] });
    try {
      await expect(soon(database.ping(60_000))).rejects.toMatchObject({ code: 'dependency_down' });
    } finally {
      await database.close();
      silent.close();
    }
  });

  it('one whose machine takes connections and says nothing is down, not busy, when the caller’s time ends first', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const primary = { host: '127.0.0.1', port };
    const settings = harness.cluster.settings('api', { primary, connectTimeoutMs: 60_000, max: 1 });
    const database = createDatabase({ ...settings, replicas: [] });
    try {
      const waiting = [1, 2].map(() => soon(database.ping(300)));
      for (const ended of await Promise.allSettled(waiting)) {
        expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'dependency_down' } });
      }
    } finally {
      for (const socket of sockets) socket.destroy();
      await database.close();
      silent.close();
    }
  });

  it('a standby configured as primary is refused', async () => {
    const { host, port } = { host: '127.0.0.1', port: harness.cluster.replica.port };
    const wrong = harness.open('api', { primary: { host, port }, replicas: [] });
    await expect(wrong.ping()).rejects.toMatchObject({ code: 'dependency_down' });
  });
});

describe('a pool that is full', () => {
  it('lets a bounded number wait and refuses the rest as overloaded', async () => {
    const small = harness.open('sys', { max: 1, maxWaiting: 2, acquireTimeoutMs: 2_000, replicas: [] });
    const holder = await small.pin();
    const all = [1, 2, 3].map(() => small.primary.query({ text: 'SELECT 1' }));
    for (const refused of await Promise.allSettled(all)) {
      expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'overloaded' } });
    }
    holder.end();
    await expect(small.primary.query({ text: 'SELECT 1' })).resolves.toBeDefined();
  });

  it('refuses a size that is not 1 to 50', () => {
    expect(() => createDatabase(harness.cluster.settings('api', { max: 51 }))).toThrow(RangeError);
    expect(() => createDatabase(harness.cluster.settings('api', { max: 0 }))).toThrow(RangeError);
  });
});

describe('a deadlock', () => {
  it('is ended by running the loser again in a fresh transaction', async () => {
    const insert = (id: string) => ({ statement: INSERT, params: [TENANT_A, id, 0] });
    await api.primary.batch(own, [insert('d1'), insert('d2')]);
    const bump = { name: 'bump', text: 'UPDATE things SET version = version + 1 WHERE id = $1' };
    const both = (first: string, second: string) =>
      withRetry(() =>
        api.transaction(own, async (tx) => {
          await tx.query(bump, [first]);
          await tx.query({ text: 'SELECT pg_sleep(0.05)' });
          await tx.query(bump, [second]);
        }),
      );
    await Promise.all([both('d1', 'd2'), both('d2', 'd1')]);
    const { rows } = await api.primary.query<{ version: number }>(GET, ['d1'], own);
    expect(rows[0]?.version).toBe(2);
  });
});
