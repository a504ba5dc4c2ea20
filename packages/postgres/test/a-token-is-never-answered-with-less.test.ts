import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@novacron/testkit/wait';
import type { Database } from '../src/database.js';
import {
  GET,
  INSERT,
  SET_VERSION,
  startPostgresHarness,
  TENANT_A,
  type PostgresHarness,
} from './postgres-harness.js';

let harness: PostgresHarness;
let api: Database;
const own = { tenantId: TENANT_A };

beforeAll(async () => {
  harness = await startPostgresHarness({ replica: true });
  api = harness.open('api');
  await until(() => api.stats().replicas[0]?.healthy === true);
});
afterAll(() => harness?.stop());

function patience(): () => boolean {
  const deadline = performance.now() + 45_000;
  return () => performance.now() < deadline;
}

async function versionAt(id: string, read = api.replica()): Promise<{ version: number; from: string }> {
  const { rows, servedFrom } = await read.query<{ version: number }>(GET, [id], own);
  return { version: rows[0]?.version ?? 0, from: servedFrom };
}

describe('a read that presents a token', () => {
  it('never sees an older state, from the primary or from the replica', async () => {
    await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'v', 0] }]);
    let [stale, fromReplica, reads, writing] = [0, 0, 0, true];
    const patient = patience();
    let last = { version: 0, position: (await api.primary.query(GET, ['v'], own)).upperBound };
    const writer = (async () => {
      const enough = () => reads > 200 && fromReplica > 100;
      for (let version = 1; version <= 400 || (!enough() && patient()); version++) {
        const { position } = await api.primary.batch(own, [
          { statement: SET_VERSION, params: ['v', version] },
        ]);
        last = { version, position };
        await sleep(1);
      }
      writing = false;
    })();
    const reader = async (): Promise<void> => {
      while (writing) {
        const asked = last;
        const got = await versionAt('v', api.replica(asked.position));
        reads++;
        if (got.version < asked.version) stale++;
        if (got.from === 'replica') fromReplica++;
      }
    };
    await Promise.all([writer, reader(), reader(), reader()]);
    expect(stale).toBe(0);
    expect(fromReplica).toBeGreaterThan(100);
  });

  it('never shows less than an earlier read of the primary', async () => {
    await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'm', 0] }]);
    let [back, reads, writing] = [0, 0, true];
    const patient = patience();
    const writer = (async () => {
      for (let version = 1; version <= 500 || (reads <= 50 && patient()); version++) {
        await api.primary.batch(own, [{ statement: SET_VERSION, params: ['m', version] }]);
      }
      writing = false;
    })();
    const reader = async (): Promise<void> => {
      while (writing) {
        const newest = await api.primary.query<{ version: number }>(GET, ['m'], own);
        const { version } = await versionAt('m', api.replica(newest.upperBound));
        if (version < (newest.rows[0]?.version as number)) back++;
        reads++;
      }
    };
    await Promise.all([writer, reader(), reader(), reader()]);
    expect(back).toBe(0);
    expect(reads).toBeGreaterThan(50);
  });

  it('is answered by the primary while the replica has not replayed it', async () => {
    await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'p', 1] }]);
    const admin = harness.cluster.admin(harness.cluster.replica.port);
    await admin.connect();
    await admin.query('SELECT pg_wal_replay_pause()');
    const { position } = await api.primary.batch(own, [{ statement: SET_VERSION, params: ['p', 2] }]);
    try {
      expect(await versionAt('p', api.replica(position))).toEqual({ version: 2, from: 'primary' });
    } finally {
      await admin.query('SELECT pg_wal_replay_resume()');
      await admin.end();
    }
    await until(async () => (await versionAt('p', api.replica(position))).from === 'replica');
  });

  it('is refused when its position is beyond this history', async () => {
    const { upperBound: seen } = await api.primary.query(GET, ['p'], own);
    const future = api.replica({ ...seen, lsn: seen.lsn + 1_000_000_000n });
    await expect(future.query(GET, ['p'], own)).rejects.toMatchObject({ code: 'history_lost' });
    const other = api.replica({ ...seen, systemId: '42' });
    await expect(other.query(GET, ['p'], own)).rejects.toMatchObject({ code: 'history_lost' });
  });
});

describe('positions', () => {
  it('grow with every commit, and a write’s position is beyond the one read before it', async () => {
    let last = (await api.primary.query(GET, ['v'], own)).lowerBound;
    for (let version = 1000; version < 1050; version++) {
      const { position } = await api.primary.batch(own, [{ statement: SET_VERSION, params: ['v', version] }]);
      expect(position.lsn > last.lsn).toBe(true);
      expect(position.systemId).toBe(last.systemId);
      last = position;
    }
  });

  it('of a read lie around its state: at most `position` is promised, at least `seen` may be shown', async () => {
    const { lowerBound: position, upperBound: seen } = await api.replica().query(GET, ['v'], own);
    expect(seen.lsn >= position.lsn).toBe(true);
  });
});

describe('a replica', () => {
  it('that is down is left out, and comes back by itself', async () => {
    harness.cluster.replica.stop('immediate');
    expect((await versionAt('v')).from).toBe('primary');
    await until(() => api.stats().replicas[0]?.healthy === false);
    harness.cluster.replica.start();
    await until(async () => (await versionAt('v')).from === 'replica');
  });

  it('that does not answer costs a bounded time once, and not an error', async () => {
    harness.cluster.replica.freeze('SIGSTOP');
    try {
      const started = performance.now();
      const patient = api.replica().query(GET, ['v'], own);
      const hasty = api.replica().query(GET, ['v'], { ...own, timeoutMs: 3_000 });
      expect((await hasty).servedFrom).toBe('primary');
      expect((await patient).servedFrom).toBe('primary');
      // Not the 30 s of a statement.
      expect(performance.now() - started).toBeLessThan(20_000);
      await until(() => api.stats().replicas[0]?.healthy === false);
    } finally {
      harness.cluster.replica.freeze('SIGCONT');
    }
    await until(async () => (await versionAt('v')).from === 'replica');
  });

  it('that was promoted is not a replica any more', async () => {
    harness.cluster.replica.promote();
    await until(() => api.stats().replicas[0]?.healthy === false);
    expect((await versionAt('v')).from).toBe('primary');
  });
});
