import { ServiceError } from '@novacron/contracts/errors';
import { parsePosition } from '@novacron/contracts/position';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Database } from '../src/database.js';
import { GET, INSERT, startPostgresHarness, TENANT_A, type PostgresHarness } from './postgres-harness.js';

let harness: PostgresHarness;
let api: Database;
const own = { tenantId: TENANT_A };

beforeAll(async () => {
  harness = await startPostgresHarness();
  api = harness.open('api', { max: 1 });
});
afterAll(() => harness?.stop());

async function refusal(work: Parameters<typeof api.transaction>[1]): Promise<ServiceError> {
  return api.transaction(own, work).then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => error as ServiceError,
  );
}

it('a refusal of a transaction has a position at or after the newest commit that it read, and is not cached', async () => {
  const { position } = await api.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'a', 1] }]);
  const error = await refusal(async (tx) => {
    await tx.query(INSERT, [TENANT_A, 'b', 1]);
    throw new ServiceError('precondition_failed', 'It is at version 1', { retryAfterMs: 7 });
  });
  expect(error).toMatchObject({ code: 'precondition_failed', detail: 'It is at version 1', retryAfterMs: 7 });
  const seen = parsePosition(error.readAt?.position ?? '');
  expect(seen.lsn).toBeGreaterThanOrEqual(position.lsn);
  expect(parsePosition(error.readAt?.holds ?? '').lsn).toBe(0n);
  expect((await api.primary.query(GET, ['b'], own)).rows).toEqual([]);
});

it('a refusal after a failed statement has a position too, and a position that is there stays', async () => {
  const readAt = { position: '1.1.5', holds: '1.1.4' };
  const said = await refusal(async () => {
    throw new ServiceError('not_found', 'There is none', { readAt });
  });
  expect(said.readAt).toEqual(readAt);
  const after = await refusal(async (tx) => {
    await tx.query({ text: 'SELECT 1/0' }).catch(() => undefined);
    throw new ServiceError('name_taken', 'The name is taken');
  });
  expect(after.readAt).toBeDefined();
});
