import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPostgresHarness, TENANT_A, type PostgresHarness } from './postgres-harness.js';

let harness: PostgresHarness;
beforeAll(async () => {
  harness = await startPostgresHarness();
});
afterAll(() => harness?.stop());

const raise = (code: string) => ({
  statement: { text: `DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '${code}'; END $$` },
});

describe('a database that lacks what a statement needs', () => {
  it.each([
    ['disk space', '53100'],
    ['memory', '53200'],
    ['a disk that works', '58030'],
  ])('answers 503 with Retry-After when it lacks %s, and serves the next statement', async (_what, code) => {
    for (const role of ['api', 'sys'] as const) {
      const db = harness.open(role);
      const failing = db.primary.batch({ tenantId: TENANT_A }, [raise(code)]);
      await expect(failing).rejects.toMatchObject({
        code: 'dependency_down',
        retryAfterMs: expect.any(Number),
      });
      const { rows } = await db.primary.query({ text: 'SELECT 1 AS one' });
      expect(rows).toEqual([{ one: 1 }]);
    }
  });
});
