import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceError } from '@novacron/contracts/errors';
import { newId } from '@novacron/contracts/ids';
import { JobListQuery } from '@novacron/contracts/jobs';
import { VmListQuery } from '@novacron/contracts/vms';
import fc from 'fast-check';
import { JobReads } from '../src/jobs/job-reads.js';
import { VmReads } from '../src/vms/vm-reads.js';
import { OrchestratorHarness } from './support/orchestrator-harness.js';

let harness: OrchestratorHarness;
beforeAll(async () => {
  harness = await OrchestratorHarness.start();
});
afterAll(() => harness.stop());

const meta = () => harness.meta({ consistency: 'strong' });
const listVmsBy = (query: unknown) => harness.get(VmReads).list(meta(), VmListQuery.parse(query));
const listJobsBy = (query: unknown) => harness.get(JobReads).list(meta(), JobListQuery.parse(query));
const SORTS = VmListQuery.shape.sort.unwrap().options;
const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Answered, or refused by the contract: `cause` would say that the database was asked first. */
async function expectNoSqlError(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if ((error as Error).name === 'ZodError') return;
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code: 'invalid_request' });
    expect((error as Error).cause).toBeUndefined();
  }
}

describe('a cursor', () => {
  const wrong = [
    ['garbage', 'x'],
    ['garbage', newId()],
    ['2026-11-23T16:30:00.000Z', 'x'],
    ['2026-11-23T16:30:00.000Z', `${newId()}\0`],
    ['0000-01-01T00:00:00.000Z', newId()],
    ['2026-02-30T00:00:00.000Z', newId()],
    ['infinity', newId()],
    ['a\0b', newId()],
    ['a\ud800b', newId()],
    [7, newId()],
    [null, null],
  ];

  it.each(SORTS)(
    'with contents that the order cannot have is refused before the database: %s',
    async (sort) => {
      const isTime = !sort.endsWith('name');
      for (const [value, id] of wrong) {
        const asText = typeof value === 'string' && value.isWellFormed() && !value.includes('\0');
        if (!isTime && asText && id !== 'x' && !String(id).includes('\0')) continue;
        // The path is the contract's: the database was not asked.
        const refusal = { code: 'invalid_request', errors: [{ path: '/cursor' }] };
        await expect(listVmsBy({ sort, cursor: cursorOf([sort, value, id]) })).rejects.toMatchObject(refusal);
        if (sort === '-createdAt')
          await expect(listJobsBy({ cursor: cursorOf([sort, value, id]) })).rejects.toMatchObject(refusal);
      }
    },
  );

  it('of any JSON is answered or refused, never an error of SQL', async () => {
    const cursor = fc.oneof(fc.string(), fc.jsonValue().map(cursorOf));
    const ours = fc
      .tuple(
        fc.constantFrom(...SORTS),
        fc.oneof(fc.string(), fc.jsonValue()),
        fc.oneof(fc.uuid(), fc.string()),
      )
      .map(cursorOf);
    await fc.assert(
      fc.asyncProperty(fc.oneof(cursor, ours), fc.constantFrom(...SORTS), async (text, sort) => {
        await expectNoSqlError(() => listVmsBy({ sort, cursor: text }));
        await expectNoSqlError(() => listJobsBy({ cursor: text }));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a filter', () => {
  it('with any text is answered or refused, never an error of SQL', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const filters = fc.record(
      { zone: text, image: text, namePrefix: text, tag: fc.array(text, { maxLength: 3 }), hostId: text },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(filters, text, async (query, kind) => {
        await expectNoSqlError(() => listVmsBy(query));
        await expectNoSqlError(() => listJobsBy({ kind }));
      }),
      { numRuns: 200 },
    );
  });

  it.each(['0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'])('takes the time %s', async (time) => {
    await expect(listVmsBy({ updatedSince: time })).resolves.toBeDefined();
  });

  it('refuses the year 0, which Postgres does not have', () => {
    expect(VmListQuery.safeParse({ updatedSince: '0000-12-31T23:59:59.999Z' }).success).toBe(false);
  });
});
