import type { Position } from '@novacron/contracts/position';
import type { Row } from './link.js';
import type { Call, Result, Statement } from './statement.js';

export interface QueryOptions {
  /** Sets row-level security for the statement; without it a role under row-level security gets an error. */
  readonly tenantId?: string;
  /** How long the caller still waits, connection included. */
  readonly timeoutMs?: number;
}

/** Where an answer comes from and which state it shows. */
export interface ReadFrom {
  /**
   * The answer holds at least everything up to here: what a cache stores with it. (A read that says
   * `db.primary` answers what holds for tokens from the primary alone; `db.strong` and `db.replica` answer what
   * holds for all.)
   */
  readonly position: Position;
  /** The answer holds nothing later than this: what a token that has seen it must ask for. */
  readonly seen: Position;
  readonly servedFrom: 'primary' | 'replica';
}

export interface Answer<T> extends ReadFrom, Result<T> {}

export interface Answers extends ReadFrom {
  readonly results: Result<Row>[];
}

/** Reads, each in a read-only transaction of its own that takes one round trip. */
export interface Session {
  /** Runs one SELECT. */
  query<T = Row>(
    statement: Statement,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<Answer<T>>;
  /** Runs several SELECTs at one position, in one round trip. Each has a snapshot of its own. */
  read(options: QueryOptions, calls: readonly Call[]): Promise<Answers>;
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
