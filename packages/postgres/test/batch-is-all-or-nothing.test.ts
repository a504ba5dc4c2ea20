import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@novacron/testkit/wait';
import type { Database } from '../src/database.js';
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
const insert = (id: string, version: unknown = 1) => ({ statement: INSERT, params: [TENANT_A, id, version] });
const exists = async (id: string) => (await api.primary.query(GET, [id], own)).rows.length === 1;

beforeAll(async () => {
  harness = await startPostgresHarness();
  api = harness.open('api', { max: 1 });
});
afterAll(() => harness?.stop());

describe('a batch', () => {
  it('commits all its statements and answers each', async () => {
    const { results } = await api.primary.batch(own, [
      insert('x1'),
      insert('x2'),
      { statement: GET, params: ['x2'] },
    ]);
    expect(results.map((result) => result.rowCount)).toEqual([1, 1, 1]);
    expect(results[2]?.rows[0]).toMatchObject({ id: 'x2', version: 1 });
  });

  it.each([
    ['the first', [insert('f1', 'no number'), insert('f2')]],
    ['the middle', [insert('f1'), insert('f1'), insert('f2')]],
    ['the last', [insert('f1'), insert('f2'), { statement: { text: 'SELECT 1/0 AS x' } }]],
    [
      'one that does not parse',
      [insert('f1'), { statement: { name: 'broken', text: 'SELEKT' } }, insert('f2')],
    ],
  ])('commits nothing and runs nothing more when %s fails', async (_which, calls) => {
    await expect(api.primary.batch(own, calls)).rejects.toThrow();
    expect(await exists('f1')).toBe(false);
    expect(await exists('f2')).toBe(false);
  });

  it('commits nothing when a parameter cannot be encoded', async () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    await expect(api.primary.batch(own, [insert('c1'), insert('c2', circular)])).rejects.toThrow('circular');
    expect(await exists('c1')).toBe(false);
  });

  it('refuses a second statement of the same name and commits nothing', async () => {
    const other = { statement: { name: INSERT.name, text: 'SELECT 1' } };
    await expect(api.primary.batch(own, [insert('n1'), other])).rejects.toThrow('both named');
    expect(await exists('n1')).toBe(false);
  });

  it('leaves its connection usable after every kind of failure', async () => {
    expect(api.stats().pools[0]).toMatchObject({ inUse: 0, idle: 1 });
    await api.primary.batch(own, [insert('after')]);
    expect(await exists('after')).toBe(true);
  });

  it('parses a statement anew after a migration changed what it returns', async () => {
    await api.primary.query(GET, ['after'], own);
    const admin = harness.cluster.admin();
    await admin.connect();
    await admin.query('ALTER TABLE orchestrator.things ADD COLUMN extra int');
    await admin.end();
    expect((await api.primary.query(GET, ['after'], own)).rows[0]).toHaveProperty('extra', null);
  });

  it('answers deadline_exceeded when a statement runs too long', async () => {
    const hasty = harness.open('api', { max: 1, statementTimeoutMs: 500 });
    const slow = hasty.primary.query({ text: 'SELECT pg_sleep(20)' });
    await expect(slow).rejects.toMatchObject({ code: 'deadline_exceeded', retryAfterMs: expect.any(Number) });
    await until(async () => (await hasty.primary.query(COUNT, [], own)).rowCount === 1);
  });

  it('cannot write through a read', async () => {
    const write = api.primary.query(INSERT, [TENANT_A, 'r1', 1], own);
    await expect(write).rejects.toMatchObject({ code: '25006' });
  });
});

describe('a transaction', () => {
  it('commits what its function did, and its position is not before the commit', async () => {
    const before = await api.primary.query(COUNT, [], own);
    const { result, position } = await api.transaction(own, async (tx) => {
      await tx.query(INSERT, [TENANT_A, 't1', 1]);
      const [found] = await tx.pipeline([{ statement: GET, params: ['t1'] }]);
      return found?.rowCount;
    });
    expect(result).toBe(1);
    expect(position.lsn > before.lowerBound.lsn).toBe(true);
    expect(await exists('t1')).toBe(true);
  });

  it('rolls back when its function throws', async () => {
    const work = api.transaction(own, async (tx) => {
      await tx.query(INSERT, [TENANT_A, 't2', 1]);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await exists('t2')).toBe(false);
  });

  it('fails instead of committing half when its function swallowed an error', async () => {
    const work = api.transaction(own, async (tx) => {
      await tx.query(INSERT, [TENANT_A, 't3', 1]);
      await tx.query({ text: 'SELECT 1/0' }).catch(() => undefined);
    });
    await expect(work).rejects.toThrow('rolled back');
    expect(await exists('t3')).toBe(false);
  });

  it('keeps the order of statements that were not awaited one by one', async () => {
    const { result } = await api.transaction(own, async (tx) => {
      const all = [1, 2, 3, 4].map((n) =>
        tx.query<{ n: number }>({ text: `SELECT ${n} AS n, pg_sleep(0.0${5 - n})` }),
      );
      return (await Promise.all(all)).map((answer) => answer.rows[0]?.n);
    });
    expect(result).toEqual([1, 2, 3, 4]);
  });
});
