import { ServiceError } from '@novacron/contracts/errors';
import { formatPosition, type Position } from '@novacron/contracts/position';
import type pg from 'pg';
import type { Connection, Row } from './connection.js';
import { observedEach } from './observe.js';
import { BEGIN, COMMIT, FLUSHED, ROLLBACK, setTenant } from './statements.js';
import type { Call, Result, Statement } from './statement.js';

/**
 * A transaction in progress. BEGIN and the tenant travel with its first statements, COMMIT with the reading
 * of the position: a transaction of one statement is two round trips. A statement that fails ends it.
 */
export class Transaction {
  #prefix: readonly Call[];

  constructor(
    private readonly connection: Connection,
    tenantId: string | undefined,
  ) {
    this.#prefix =
      tenantId === undefined ? [{ statement: BEGIN }] : [{ statement: BEGIN }, setTenant(tenantId)];
  }

  /** Runs one statement. */
  async query<T = Row>(statement: Statement, params: readonly unknown[] = []): Promise<Result<T>> {
    const [result] = await this.pipeline([{ statement, params }]);
    return result as Result<T>;
  }

  /** Runs several statements in one round trip; after the first that fails none of the rest runs. */
  pipeline(calls: readonly Call[]): Promise<Result<Row>[]> {
    return observedEach(calls, () => this.#run(calls));
  }

  async #run(calls: readonly Call[]): Promise<Result<Row>[]> {
    const prefix = this.#prefix;
    this.#prefix = [];
    const results = await this.connection.run(prefix.length === 0 ? calls : [...prefix, ...calls]);
    return prefix.length === 0 ? results : results.slice(prefix.length);
  }

  /** The connection itself, inside of the begun transaction: for COPY by pg-copy-streams, one at a time. */
  async client(): Promise<pg.Client> {
    await this.pipeline([]);
    return this.connection.client;
  }

  /** COMMIT, then the position: a later statement, so that COMMIT has returned on the server. */
  async commit(): Promise<Position> {
    const results = await this.#run([{ statement: COMMIT }, { statement: FLUSHED }]);
    return this.connection.positionAt(results.at(-1)?.rows[0]?.lsn);
  }

  /**
   * The error to throw for the one that ended the work. A refusal (the VM does not exist, or is at another version) shows
   * state, as an answer does. It carries a position, so that the refused caller reads nothing older.
   */
  async refused(error: unknown): Promise<unknown> {
    if (!(error instanceof ServiceError) || error.readAt !== undefined || !this.connection.usable)
      return error;
    const results = await this.#run([{ statement: ROLLBACK }, { statement: FLUSHED }]);
    const { lsn, ...history } = this.connection.positionAt(results.at(-1)?.rows[0]?.lsn);
    // A cache must not keep the refusal: the rows were read before this position.
    const holds = formatPosition({ ...history, lsn: 0n });
    return error.asOf({ position: formatPosition({ ...history, lsn }), holds });
  }
}
