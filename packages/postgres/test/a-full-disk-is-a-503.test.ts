import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFixture, TENANT_A, type Fixture } from './fixture.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture?.stop());

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
      const db = fixture.open(role);
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
