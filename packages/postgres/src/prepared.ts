import { createRequire } from 'node:module';
import { serialize } from 'pg-protocol';
import type { Decoder } from './rows.js';
import type { Call, Statement } from './statement.js';

const { prepareValue } = createRequire(import.meta.url)('pg/lib/utils') as {
  prepareValue: (value: unknown) => string | Buffer | null;
};

/** The state of one statement on one connection. */
export interface Prepared {
  readonly text: string;
  /** `unsure` after an error between Parse and its first answer: the server may or may not have it. */
  state: 'new' | 'sent' | 'ready' | 'unsure';
  decoder: Decoder | undefined;
}

/** A call with its parameters already in wire form, so that nothing can throw half-way through a batch. */
export interface Encoded {
  readonly statement: Statement;
  readonly values: readonly (string | Buffer | null)[];
}

/** Turns parameters into wire form: dates, arrays and objects as `pg` does it. */
export function encode(call: Call): Encoded {
  const { statement, params } = call;
  if (!params || params.length === 0) return { statement, values: none };
  return { statement, values: params.map((value) => prepareValue(value)) };
}
const none: readonly string[] = [];

const constantCalls = new WeakMap<Statement, Buffer>();

/** Appends the messages of one call; a name seen before needs neither Parse nor Describe. */
export function writeCall(out: Buffer[], { statement, values }: Encoded, prepared: Prepared): void {
  const name = statement.name ?? '';
  const known = prepared.state === 'ready' || prepared.state === 'sent';
  if (!known) {
    if (prepared.state === 'unsure') out.push(serialize.close({ type: 'S', name }));
    out.push(serialize.parse({ name, text: statement.text }));
    prepared.state = 'sent';
  }
  if (known && values.length === 0) {
    out.push(constantCall(statement, name));
    return;
  }
  out.push(serialize.bind({ statement: name, values: values as (string | Buffer | null)[] }));
  if (!known) out.push(serialize.describe({ type: 'P' }));
  out.push(serialize.execute());
}

/** BEGIN, COMMIT, the position: the same bytes each time. */
function constantCall(statement: Statement, name: string): Buffer {
  let bytes = constantCalls.get(statement);
  if (!bytes) {
    bytes = Buffer.concat([serialize.bind({ statement: name }), serialize.execute()]);
    constantCalls.set(statement, bytes);
  }
  return bytes;
}
