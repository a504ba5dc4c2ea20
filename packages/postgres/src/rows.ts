import pg from 'pg';

/** The fields of a RowDescription that a decoder needs. */
export interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

export type Decoder = (values: readonly (string | null)[]) => Record<string, unknown>;

const INT8 = 20;
const NUMERIC_TEXT = pg.types.builtins.NUMERIC;

/**
 * Builds the function that turns one data row into an object. Types are those of `pg`, but `bigint` comes as
 * a number (versions, sequence numbers, counts) and throws beyond 2^53 rather than lose digits.
 */
export function decoderFor(fields: readonly Field[]): Decoder {
  const names = fields.map((field) => field.name);
  const parsers = fields.map((field) => parserFor(field.dataTypeID));
  return (values) => {
    const row: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) {
      const value = values[i];
      row[names[i] as string] = value == null ? null : (parsers[i] as Parser)(value);
    }
    return row;
  };
}

/** The row of a statement that is `raw`. */
export const asItCame: Decoder = (values) => values as unknown as Record<string, unknown>;

type Parser = (text: string) => unknown;

function parserFor(oid: number): Parser {
  if (oid === INT8) return safeInteger;
  if (oid === NUMERIC_TEXT) return (text) => text;
  return pg.types.getTypeParser(oid, 'text') as Parser;
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`bigint ${text} does not fit a number: select it as text`);
  return value;
}
