import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@novacron/testkit/wait';
import { COMMITTING_SQL } from '@novacron/provisioning/superuser-sql';
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

async function asAdmin(...statements: string[]): Promise<void> {
  const admin = harness.cluster.admin();
  await admin.connect();
  for (const sql of statements) await admin.query(sql);
  await admin.end();
}

/**
 * Holds every commit of the primary between its disk and its view: it waits for a standby that never comes. The
 * setting counts a moment after it was made: from when a commit is seen to wait.
 */
async function hold(): Promise<void> {
  await asAdmin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", 'SELECT pg_reload_conf()');
  const [admin, other] = [harness.cluster.admin(), harness.cluster.admin()];
  await Promise.all([admin.connect(), other.connect()]);
  other.on('error', () => undefined); // it is ended while it waits
  const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid;
  const commits = (async () => {
    for (;;) await other.query("SELECT pg_logical_emit_message(true, '', '')");
  })().catch(() => undefined);
  const waits = 'SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = $2';
  await until(async () => (await admin.query(waits, [pid, 'SyncRep'])).rowCount === 1);
  await admin.query('SELECT pg_terminate_backend($1)', [pid]);
  await commits;
  await admin.end();
}
const letGo = () => asAdmin('ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()');

async function versionAt(session = api.replica()): Promise<number | undefined> {
  return (await session.query<{ version: number }>(GET, ['v'], own)).rows[0]?.version;
}

/** As its caller does: a commit that does not come into view in time is worth another try. */
async function patiently<T>(read: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + 45_000; ;) {
    const answer = await read().catch((error: { code?: string }) => {
      if (error.code !== 'dependency_down' || performance.now() > deadline) throw error;
    });
    if (answer !== undefined) return answer;
  }
}

beforeAll(async () => {
  harness = await startPostgresHarness({ replica: true });
  await asAdmin(COMMITTING_SQL);
  api = harness.open('api');
  await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'v', 1] }]);
  await until(() => api.stats().replicas[0]?.healthy === true);
});
afterAll(async () => {
  await letGo();
  await harness?.stop();
});

describe('a commit that a replica shows before the primary does', () => {
  it('is in every answer to a client that has observed it, and no other client waits for it', async () => {
    const before = await api.strong.query<{ version: number }>(GET, ['v'], own);
    await hold();
    const write = api.primary.batch(own, [{ statement: SET_VERSION, params: ['v', 2] }]);
    let shown = before;
    await until(async () => {
      shown = await api.replica().query(GET, ['v'], own);
      return shown.rows[0]?.version === 2;
    });
    const { upperBound: seen, servedFrom } = shown;
    expect(servedFrom).toBe('replica');
    // What this test is about: the primary is past that position on its disk, and shows the state before.
    const plain = await api.primary.query<{ version: number }>(GET, ['v'], own);
    expect(plain.upperBound.lsn >= seen.lsn).toBe(true);
    expect(plain.rows[0]?.version).toBe(1);

    harness.cluster.replica.stop('immediate');
    const older = await api.replica(before.lowerBound).query<{ version: number }>(GET, ['v'], own);
    expect(older).toMatchObject({ servedFrom: 'primary', rows: [{ version: 1 }] });
    expect(older.lowerBound.lsn < seen.lsn).toBe(true);
    const down = { code: 'dependency_down' };
    await expect(versionAt(api.replica(seen))).rejects.toMatchObject(down);

    const causal = patiently(() => versionAt(api.replica(seen)));
    const strong = patiently(() => versionAt(api.strong));
    await sleep(100);
    await letGo();
    expect(await causal).toBe(2);
    expect(await strong).toBe(2);
    const { position } = await write;
    expect(await versionAt(api.replica(position))).toBe(2);
  });

  it('delays no read while other transactions are open or write', async () => {
    const admin = harness.cluster.admin();
    await admin.connect();
    try {
      await admin.query('BEGIN');
      await admin.query("UPDATE orchestrator.things SET version = 9 WHERE id = 'v'");
      const { position } = await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'w', 1] }]);
      // Had it to wait for the open transaction, it would end in `dependency_down`.
      const answer = await api.replica(position).query<{ version: number }>(GET, ['w'], own);
      expect(answer).toMatchObject({ servedFrom: 'primary', rows: [{ version: 1 }] });
      expect(answer.lowerBound.lsn >= position.lsn).toBe(true);
    } finally {
      await admin.end();
    }
  });
});
