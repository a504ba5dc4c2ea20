import { describe, expect, it } from '@jest/globals';
import { ServiceError } from '@novacron/contracts/errors';
import fc from 'fast-check';
import { checkShape } from './json-shape.js';

const LIMITS = { depth: 4, fields: 3, items: 5, values: 20, string: 30 };

function refusal(text: string): string | null {
  try {
    checkShape(Buffer.from(text), LIMITS);
    return null;
  } catch (error) {
    return (error as ServiceError).errors?.[0]?.message ?? String(error);
  }
}

/** Bytes between a string's quotes. */
const written = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;

/** What `checkShape` counts, read off the parsed value. */
function exceeds(value: unknown): boolean {
  let values = 0;
  let tooMuch = false;
  const walk = (node: unknown, depth: number): void => {
    values += 1;
    if (typeof node === 'string' && written(node) > LIMITS.string) tooMuch = true;
    if (typeof node !== 'object' || node === null) return;
    if (Object.keys(node).some((key) => written(key) > LIMITS.string)) tooMuch = true;
    const members = Object.values(node);
    // An empty object or array counts as if it had one member: no comma tells.
    if (members.length === 0) values += 1;
    if (depth + 1 > LIMITS.depth || members.length > (Array.isArray(node) ? LIMITS.items : LIMITS.fields))
      tooMuch = true;
    for (const member of members) walk(member, depth + 1);
  };
  walk(value, 0);
  return tooMuch || values > LIMITS.values;
}

describe('the shape of a body', () => {
  it.each([
    ['[[[[[1]]]]]', 'at most 4 arrays and objects within each other'],
    ['{"a":1,"b":2,"c":3,"d":4}', 'at most 3 fields in one object'],
    [`["${'x'.repeat(31)}"]`, 'at most 30 bytes in one string'],
    [`"${'\\n'.repeat(20)}`, 'at most 30 bytes in one string'],
    ['[1,2,3,4,5,6]', 'at most 5 items in one array'],
    [`[${Array(5).fill('[1,2,3,4,5]').join(',')}]`, 'at most 20 values in one body'],
  ])('is refused: %s', (text, message) => expect(refusal(text)).toBe(message));

  it.each(['{"a":"{[,\\"{[,"}', '["\\\\",1]', '[1,2', ']]]', '"', '{"a":{"b":[1,2,3]}}'])(
    'is accepted, or left to the parser: %s',
    (text) => expect(refusal(text)).toBeNull(),
  );

  it('is refused exactly when its parsed value exceeds a limit', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(refusal(JSON.stringify(value)) !== null).toBe(exceeds(value));
      }),
      { numRuns: 1_000 },
    );
  });
});
