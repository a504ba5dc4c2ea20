import type { z } from 'zod';

/*
 * Builds the largest values that a schema allows, for tests of sizes. It combines the largest legal parts and parses the
 * result, so that refinements apply.
 */

/** Supplies the value of a `z.unknown()`. */
export type Unknown = () => unknown;

type Def = {
  readonly type: string;
  readonly shape: Record<string, z.ZodType>;
  readonly element: z.ZodType;
  readonly innerType: z.ZodType;
  readonly options: readonly z.ZodType[];
  readonly keyType: z.ZodType;
  readonly valueType: z.ZodType;
  readonly in: z.ZodType;
  readonly out: z.ZodType;
};

/** Characters of six, three, two, one and one bytes in JSON. */
const CHARACTERS = ['\u0001', '€', '"', 'z', '9'];
const FORMATTED = [
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
  '2026-11-23T16:30:00.000Z',
  `${'9'.repeat(20)}.${'9'.repeat(10)}.${'9'.repeat(20)}`,
];
const NUMBERS = [-1.7976931348623157e308, 1.7976931348623157e308, -9007199254740991, 9007199254740991];
/** A record that accepts as many entries counts as unbounded. */
const MOST_ENTRIES = 500;

/** @throws Error naming the part that has no bound */
export function largest(schema: z.ZodType, unknown?: Unknown, path = 'reply'): unknown {
  const def = schema.def as unknown as Def;
  switch (def.type) {
    case 'object': {
      const parts = Object.entries(def.shape).map(([name, part]) => [
        name,
        largest(part, unknown, `${path}.${name}`),
      ]);
      return Object.fromEntries(parts);
    }
    case 'array': {
      return Array(boundOf(schema, path)).fill(largest(def.element, unknown, `${path}[]`));
    }
    case 'record': {
      const entries = entriesOf(def, MOST_ENTRIES, unknown, path);
      const record = (n: number) => Object.fromEntries(entries.slice(0, n));
      // `recordOf` counts entries itself, and puts its maximum into the schema's metadata.
      const { maxProperties = MOST_ENTRIES } = schema.meta() ?? {};
      const count = most(maxProperties as number, (n) => schema.safeParse(record(n)).success);
      if (count === MOST_ENTRIES) throw new Error(`${path}: nothing bounds it`);
      return record(count);
    }
    case 'nullable':
    case 'optional':
    case 'default':
      return largest(def.innerType, unknown, path);
    case 'pipe':
      return largest(def.out, unknown, path);
    case 'union':
      return biggest(def.options.map((option) => largest(option, unknown, path)));
    case 'enum':
      return biggest((schema as z.ZodEnum).options);
    case 'literal':
      return (schema as z.ZodLiteral).value;
    case 'boolean':
      return false;
    case 'number':
      return biggest(
        [...NUMBERS, ...boundsOf(schema as z.ZodNumber)].filter((n) => schema.safeParse(n).success),
      );
    case 'string':
      return largestText(schema, path);
    case 'unknown':
      if (unknown !== undefined) return unknown();
  }
  throw new Error(`${path}: nothing bounds ${def.type}`);
}

/** The largest item of a paged reply: an element of its array, or an entry of its record. */
export function largestItem(schema: z.ZodType, unknown?: Unknown): unknown {
  const { shape } = schema.def as unknown as Def;
  for (const [name, part] of Object.entries(shape)) {
    const def = part.def as unknown as Def;
    if (def.type === 'array') return largest(def.element, unknown, `${name}[]`);
    if (def.type === 'record') return Object.fromEntries(entriesOf(def, 1, unknown, name));
  }
  throw new Error('a reply without items has no pages');
}

function entriesOf(def: Def, count: number, unknown: Unknown | undefined, path: string): [string, unknown][] {
  const key = largest(def.keyType, unknown, `${path} key`) as string;
  const value = largest(def.valueType, unknown, `${path}.*`);
  return Array.from({ length: count }, (_, i) => {
    const number = String(i);
    return [key.slice(0, key.length - number.length) + number, value];
  });
}

function largestText(schema: z.ZodType, path: string): string {
  const isLegal = (text: string) => schema.safeParse(text).success;
  const formatted = FORMATTED.filter(isLegal);
  // A format that repeated characters do not match has a fixed length.
  if (formatted.length > 0 && !isLegal('z')) return biggest(formatted);
  const bound = boundOf(schema, path);
  const repeated = CHARACTERS.map((character) =>
    character.repeat(most(bound, (n) => isLegal(character.repeat(n)))),
  );
  if (repeated.every((text) => text === ''))
    throw new Error(`${path}: this file does not know a text of that format`);
  return biggest(repeated);
}

/** The maximum of zod's `max`. @throws Error when the schema has no maximum */
function boundOf(schema: z.ZodType, path: string): number {
  const checks = (schema.def.checks ?? []).map((check) => check._zod.def as { maximum?: number });
  const bounds = checks.flatMap(({ maximum }) => maximum ?? []);
  if (bounds.length === 0) throw new Error(`${path}: nothing bounds it`);
  return Math.min(...bounds);
}

/** The largest count up to `bound` that fits, or 0. */
function most(bound: number, fits: (count: number) => boolean): number {
  if (fits(bound)) return bound;
  let [good, bad] = [0, bound];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (fits(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

function biggest<T>(values: readonly T[]): T {
  const size = (value: T) => Buffer.byteLength(JSON.stringify(value));
  return values.reduce((a, b) => (size(b) > size(a) ? b : a));
}

const boundsOf = ({ minValue, maxValue }: z.ZodNumber) => [minValue ?? 0, maxValue ?? 0];
