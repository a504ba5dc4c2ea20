import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { Database } from '../src/database.js';
import { startPostgresHarness, TENANT_A, type PostgresHarness } from './postgres-harness.js';

let harness: PostgresHarness;
let api: Database;
let sys: Database;
const own = { tenantId: TENANT_A };

beforeAll(async () => {
  harness = await startPostgresHarness();
  api = harness.open('api', { max: 2 });
  sys = harness.open('sys', { max: 2 });
});
afterAll(() => harness?.stop());

/** Texts that a cast of each type refuses. */
const REFUSED = {
  uuid: 'x',
  timestamptz: '0000-01-01T00:00:00Z',
  date: '2026-02-30',
  int: '9x',
  text: 'a\0b',
  jsonb: '{"a":"\\u0000"}',
} as const;
const cast = (type: string) => ({ text: `SELECT $1::${type} AS value` });

describe.each(Object.entries(REFUSED))('a value that %s does not hold', (type, value) => {
  it.each(['read', 'batch', 'transaction'] as const)('is invalid_request for a client: %s', async (way) => {
    const call = { statement: cast(type), params: [value] };
    const asked = {
      read: () => api.primary.query(call.statement, call.params, own),
      batch: () => api.primary.batch(own, [call]),
      transaction: () => api.transaction(own, (tx) => tx.query(call.statement, call.params)),
    }[way]();
    await expect(asked).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('stays the error that it is for a worker', async () => {
    const asked = sys.primary.query(cast(type), [value]);
    await expect(asked).rejects.toBeInstanceOf(pg.DatabaseError);
  });
});

it.each([
  ['SELECT 1/0', '22012'],
  ['SELECT 1e308::float8 * 10', '22003'],
])('a mistake of a statement stays the error that it is: %s', async (text, code) => {
  await expect(api.primary.query({ text }, [], own)).rejects.toMatchObject({ code });
});
