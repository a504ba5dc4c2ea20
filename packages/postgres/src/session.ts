import type { Position } from '@novacron/contracts/position';
import type { Row } from './connection.js';
import type { Call, Result, Statement } from './statement.js';

export interface QueryOptions {
  /** Sets row-level security for the statement; without it a role under row-level security gets an error. */
  readonly tenantId?: string;
  /** How long the caller still waits, connection included. */
  readonly timeoutMs?: number;
}

/** Which server an answer comes from, and which state it shows. */
export interface ReadFrom {
  /**
   * The answer shows every commit up to here. A cache stores it with the answer. (A bound of `db.primary` is valid for
   * tokens from the primary alone; a bound of `db.strong` or `db.replica` is valid for all.)
   */
  readonly lowerBound: Position;
  /** The answer shows no commit after this. The token of a client that has observed the answer asks for this. */
  readonly upperBound: Position;
  readonly servedFrom: 'primary' | 'replica';
}

export interface RoutedResult<T> extends ReadFrom, Result<T> {}

export interface RoutedResults extends ReadFrom {
  readonly results: Result<Row>[];
}

/** Reads, each in a read-only transaction of its own that takes one round trip. */
export interface Session {
  /** Runs one SELECT. */
  query<T = Row>(
    statement: Statement,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<RoutedResult<T>>;
  /** Runs several SELECTs at one position, in one round trip. Each has a snapshot of its own. */
  read(options: QueryOptions, calls: readonly Call[]): Promise<RoutedResults>;
}

/** Builds a Session from the way it reads. */
export function sessionOf(read: Session['read']): Session {
  return {
    read,
    async query<T>(statement: Statement, params: readonly unknown[] = [], options: QueryOptions = {}) {
      const { results, ...from } = await read(options, [{ statement, params }]);
      return { ...(results[0] as Result<T>), ...from };
    },
  };
}
