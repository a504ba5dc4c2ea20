import { serialize } from 'pg-protocol';
import { writeCall, type Encoded, type Prepared } from './prepared.js';
import { asItCame, decoderFor, type Field } from './rows.js';
import type { Result } from './statement.js';

/** The part of pg's connection that a batch writes to. */
interface Wire {
  readonly stream: { write(bytes: Uint8Array): boolean };
}

/** Postgres cuts longer names, and two that are cut alike would be one. */
const MAX_NAME = 63;

type Settle = (error: Error | null, results: Result<Record<string, unknown>>[]) => void;

/**
 * Several statements in one write and under one Sync: after an error the server skips everything up to the
 * Sync, a COMMIT included, so a batch commits whole or not at all and nothing of it runs outside of its
 * transaction. (pg's own `pipeline` mode sends a Sync after each query: there a query that fails in the
 * client is left out while the COMMIT behind it goes through.) A failed batch can leave its transaction
 * open and failed; its caller sends ROLLBACK.
 *
 * Implements the interface that `pg.Client` expects of a submitted query.
 */
export class Batch {
  readonly #results: Result<Record<string, unknown>>[] = [];
  readonly #owners: Prepared[];
  #rows: Record<string, unknown>[] = [];
  #failure: Error | null = null;
  #settled = false;
  /** pg wraps this when a query timeout is set; it looks for the property. */
  callback = (): void => undefined;

  constructor(
    readonly calls: readonly Encoded[],
    private readonly known: Map<string, Prepared>,
    private readonly settle: Settle,
  ) {
    this.#owners = calls.map(({ statement }) => prepare(known, statement.name, statement.text));
  }

  submit(connection: Wire): Error | null {
    const out: Buffer[] = [];
    for (let i = 0; i < this.calls.length; i++)
      writeCall(out, this.calls[i] as Encoded, this.#owners[i] as Prepared);
    out.push(serialize.sync());
    connection.stream.write(Buffer.concat(out));
    return null;
  }

  handleRowDescription(message: { fields: Field[] }): void {
    const { raw } = (this.calls[this.#results.length] as Encoded).statement;
    this.#current().decoder = raw ? asItCame : decoderFor(message.fields);
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    if (this.#failure) return;
    const decoder = this.#current().decoder;
    try {
      if (!decoder) throw new Error('a row came without its description');
      this.#rows.push(decoder(message.fields));
    } catch (error) {
      this.#failure = error as Error;
    }
  }

  handleCommandComplete(message: { text: string }): void {
    this.#current().state = 'ready';
    const count = /(\d+)$/.exec(message.text)?.[1];
    // COMMIT of a failed transaction answers ROLLBACK and no error: nothing was committed.
    if (
      message.text === 'ROLLBACK' &&
      /^commit/i.test(this.calls[this.#results.length]?.statement.text ?? '')
    ) {
      this.#failure ??= new Error('the transaction was rolled back instead of committed');
    }
    this.#results.push({ rows: this.#rows, rowCount: count === undefined ? 0 : Number(count) });
    this.#rows = [];
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' });
  }

  handlePortalSuspended(): void {
    this.#failure ??= new Error('a portal was suspended though all rows were asked for');
  }

  handleCopyInResponse(connection: { sendCopyFail(reason: string): void }): void {
    connection.sendCopyFail('COPY is not possible in a batch: use the raw client of a transaction');
  }

  handleCopyData(): void {}

  /** From the server: the statement that failed; or from the client: the connection is gone. */
  handleError(error: Error): void {
    for (const owner of this.#owners) if (owner.state === 'sent') owner.state = 'unsure';
    // The failed statement may be stale on the server (its plan's result changed): parse it anew next time.
    const failed = this.#owners[this.#results.length];
    if (failed) failed.state = 'unsure';
    this.#end(this.#failure ?? error);
  }

  handleReadyForQuery(): void {
    this.#end(this.#failure);
  }

  #current(): Prepared {
    return this.#owners[this.#results.length] as Prepared;
  }

  #end(error: Error | null): void {
    if (this.#settled) return;
    this.#settled = true;
    this.settle(error, this.#results);
  }
}

function prepare(known: Map<string, Prepared>, name: string | undefined, text: string): Prepared {
  if (!name) return { text, state: 'new', decoder: undefined };
  if (name.length > MAX_NAME)
    throw new Error(`a statement's name has at most ${MAX_NAME} characters: ${name}`);
  let prepared = known.get(name);
  if (!prepared) {
    prepared = { text, state: 'new', decoder: undefined };
    known.set(name, prepared);
  } else if (prepared.text !== text) {
    throw new Error(`two different statements are both named ${name}`);
  }
  return prepared;
}
