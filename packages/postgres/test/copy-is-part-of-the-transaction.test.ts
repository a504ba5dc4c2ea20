import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dbPool, dbPoolWait, dbQuery, type DbQueryDiagnostic } from '@novacron/telemetry/diagnostics';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from } from 'pg-copy-streams';
import type { Database } from '../src/database.js';
import { grants } from '../src/tenancy.js';
import { GET, INSERT, startPostgresHarness, TENANT_A, type PostgresHarness } from './postgres-harness.js';

const COUNT_RAW = { name: 'count_raw', text: 'SELECT count(*) AS n FROM raw' };
let harness: PostgresHarness;
let sys: Database;

beforeAll(async () => {
  harness = await startPostgresHarness();
  sys = harness.open('sys', { max: 1, replicas: [] });
  // COPY FROM is refused on a table under row-level security, whatever its policies allow.
  const owner = harness.open('owner', { replicas: [] });
  const create = 'CREATE TABLE raw (tenant_id uuid NOT NULL, name text NOT NULL, value bigint)';
  await owner.primary.batch(
    {},
    [create, ...grants('orchestrator', 'raw')].map((text) => ({ statement: { text } })),
  );
});
afterAll(() => harness?.stop());

async function copy(rows: number, fail: boolean): Promise<unknown> {
  return sys.transaction({}, async (tx) => {
    await tx.query(INSERT, [TENANT_A, fail ? 'failed' : 'first', 1]);
    const lines = Array.from(
      { length: rows },
      (_, n) => `${TENANT_A}\tcopied-${fail}-${n}\t${fail ? 'x' : n}\n`,
    );
    const client = await tx.client();
    await pipeline(Readable.from(lines), client.query(from('COPY raw FROM STDIN')));
    return (await tx.query<{ n: number }>(COUNT_RAW)).rows[0]?.n;
  });
}

describe('COPY on the client of a transaction', () => {
  it('commits with the statements around it', async () => {
    expect(await copy(5_000, false)).toMatchObject({ result: 5_000 });
  });

  it('fails with them too, and the connection is usable after', async () => {
    await expect(copy(10, true)).rejects.toThrow('invalid input syntax');
    expect((await sys.primary.query(COUNT_RAW)).rows).toEqual([{ n: 5_000 }]);
    expect((await sys.primary.query(GET, ['failed'])).rows).toEqual([]);
  });
});

describe('diagnostics', () => {
  it('report each query with its verb and table, and its failure', async () => {
    const published: DbQueryDiagnostic[] = [];
    dbQuery.subscribe((diagnostic) => published.push(diagnostic));
    await sys.primary.query(GET, ['first']);
    await expect(
      sys.primary.batch({}, [{ statement: INSERT, params: [TENANT_A, 'first', 1] }]),
    ).rejects.toThrow();
    expect(published).toEqual([
      {
        role: 'primary',
        queryType: 'select',
        table: 'things',
        statement: 'thing_get',
        text: GET.text,
        durationMs: expect.any(Number),
      },
      expect.objectContaining({
        queryType: 'insert',
        table: 'things',
        error: expect.objectContaining({ code: '23505' }),
      }),
    ]);
  });

  it('report a pool when it opens, and how long its callers waited', async () => {
    const pools: string[] = [];
    const waits: number[] = [];
    dbPool.subscribe((diagnostic) => pools.push(diagnostic.pool));
    dbPoolWait.subscribe((diagnostic) => waits.push(diagnostic.waitMs));
    const database = harness.open('api', { max: 1 });
    await Promise.all([database.ping(), database.ping()]);
    expect(pools).toEqual(['orchestrator-api-primary']);
    expect(waits.length).toBeGreaterThanOrEqual(2);
  });
});
