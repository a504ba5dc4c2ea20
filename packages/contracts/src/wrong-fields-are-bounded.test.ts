import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { recordOf } from './common.js';
import type { ServiceError } from './errors.js';
import { MAX_NAMED_FIELDS, parseOrThrow, WrongFields } from './validation.js';

/** A schema of numbers that counts its calls. */
function countingNumber() {
  const asked = { times: 0 };
  const schema = z.preprocess((given) => {
    asked.times += 1;
    return given;
  }, z.number());
  return { asked, schema };
}

function refusalOf(schema: z.ZodType, value: unknown): ServiceError {
  try {
    parseOrThrow(schema, value, 'body');
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('the value was accepted');
}

const fields = (n: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${i}`, i]));

describe('a record with a maximum', () => {
  it('parses none of its entries when there are too many', () => {
    const { asked, schema } = countingNumber();
    const record = recordOf(z.string(), schema, 50);
    expect(record.safeParse(fields(50)).success).toBe(true);
    expect(asked.times).toBe(50);
    const { issues } = record.safeParse(fields(90_000)).error as z.ZodError;
    expect(issues).toMatchObject([{ path: [], message: 'at most 50 entries, not 90000' }]);
    expect(asked.times).toBe(50);
  });
});

describe('an array with a maximum', () => {
  it('parses none of its elements when there are too many', () => {
    const { asked, schema } = countingNumber();
    expect(z.array(schema).max(50).safeParse(Array(90_000).fill('x')).success).toBe(false);
    expect(asked.times).toBe(0);
  });
});

describe('an invalid_request error', () => {
  it('names 20 wrong fields and the number of the rest', () => {
    const { detail, errors } = refusalOf(z.strictObject({}), fields(90_000));
    expect(errors).toHaveLength(MAX_NAMED_FIELDS);
    expect(errors?.[0]).toEqual({ path: '/f0', message: 'unknown field' });
    expect(detail).toBe('body: 90,000 fields are wrong: 20 are named, and 89,980 more.');
  });

  it('counts the wrong fields in all parts of a request', () => {
    const issues = (value: unknown, schema: z.ZodType) => schema.safeParse(value).error?.issues ?? [];
    const wrong = new WrongFields()
      .add(issues(fields(15), z.strictObject({})), '/query')
      .add(issues(Array(15).fill('x'), z.array(z.number())));
    expect(wrong.error().detail).toBe('30 fields are wrong: 20 are named, and 10 more.');
    expect(wrong.named.map(({ path }) => path).slice(14, 16)).toEqual(['/query/f14', '/0']);
  });

  it('shortens a path that is as long as the body', () => {
    const { errors } = refusalOf(z.strictObject({}), { ['/'.repeat(100_000)]: 1 });
    expect(errors?.[0]?.path.length).toBe(200);
    expect(errors?.[0]?.path).toMatch(/^\/~1~1.*…$/);
  });
});
