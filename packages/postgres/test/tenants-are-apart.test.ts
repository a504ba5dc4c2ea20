import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Database } from '../src/database.js';
import {
  COUNT,
  GET,
  INSERT,
  SET_VERSION,
  startPostgresHarness,
  TENANT_A,
  TENANT_B,
  type PostgresHarness,
} from './postgres-harness.js';

let harness: PostgresHarness;
let api: Database;
let sys: Database;

beforeAll(async () => {
  harness = await startPostgresHarness();
  api = harness.open('api');
  sys = harness.open('sys');
  await api.primary.batch({ tenantId: TENANT_A }, [{ statement: INSERT, params: [TENANT_A, 'a1', 1] }]);
  await api.primary.batch({ tenantId: TENANT_B }, [{ statement: INSERT, params: [TENANT_B, 'b1', 1] }]);
});
afterAll(() => harness?.stop());

describe('row-level security', () => {
  it('raises when no tenant was ever set', async () => {
    await expect(api.primary.query(COUNT)).rejects.toMatchObject({
      code: '42501',
      message: 'no tenant is set',
    });
  });

  it('raises when a transaction before had a tenant and this one has none', async () => {
    const one = harness.open('api', { max: 1 });
    await one.primary.query(COUNT, [], { tenantId: TENANT_A });
    await expect(one.primary.query(COUNT)).rejects.toMatchObject({ code: '42501' });
  });

  it('refuses an empty tenant before it reaches the server', async () => {
    await expect(api.primary.query(COUNT, [], { tenantId: '' })).rejects.toThrow('empty');
  });

  it('shows a tenant its own rows only, whatever it asks for', async () => {
    const mine = await api.primary.query(COUNT, [], { tenantId: TENANT_A });
    const theirs = await api.primary.query(GET, ['b1'], { tenantId: TENANT_A });
    expect(mine.rows).toEqual([{ n: 1 }]);
    expect(theirs.rows).toEqual([]);
  });

  it('lets a tenant neither change nor write rows of another', async () => {
    const { results } = await api.primary.batch({ tenantId: TENANT_A }, [
      { statement: SET_VERSION, params: ['b1', 9] },
    ]);
    expect(results[0]?.rowCount).toBe(0);
    const write = api.primary.batch({ tenantId: TENANT_A }, [
      { statement: INSERT, params: [TENANT_B, 'b2', 1] },
    ]);
    await expect(write).rejects.toMatchObject({ code: '42501' });
  });

  it('lets the sys role see all tenants without one set', async () => {
    expect((await sys.primary.query(COUNT)).rows).toEqual([{ n: 2 }]);
  });
});
