/**
 * What library packages tell the world: plain objects on `diagnostics_channel`s. Nobody listening costs
 * nothing. `listenToFacts` turns them into metrics and log lines; no library knows about either.
 */
import { channel } from 'node:diagnostics_channel';

/** A query ended. `queryType` and `table` become labels: few, fixed words, never values. */
export interface DbQueryFact {
  readonly role: 'primary' | 'replica';
  /** `select`, `insert`, `update`, `delete`, `copy`, `transaction`, … */
  readonly queryType: string;
  readonly table: string;
  readonly durationMs: number;
  /** The statement's name or text, without parameters; shown when it was slow. */
  readonly statement?: string;
  readonly error?: unknown;
}

/** A connection was handed out by a pool after that long a wait. */
export interface DbPoolWaitFact {
  readonly pool: string;
  readonly waitMs: number;
}

/** A pool was opened; its numbers are read whenever metrics are asked for, until `closed` says true. */
export interface DbPoolFact {
  readonly pool: string;
  readonly read: () => { readonly inUse: number; readonly idle: number; readonly waiting: number };
  readonly closed: () => boolean;
}

/** One request/reply ended, seen from one side. `subject` has no ids in it. `code`: `ok` or an error's code. */
export interface RpcFact {
  readonly side: 'client' | 'server';
  readonly subject: string;
  readonly code: string;
  readonly durationMs: number;
}

/** A durable consumer handled a message, or failed to. */
export interface ConsumedFact {
  readonly stream: string;
  readonly consumer: string;
  readonly outcome: 'ok' | 'failed' | 'rebuilt';
  /** Messages that the stream still has for it. */
  readonly pending?: number;
}

interface Fact<T> {
  readonly name: string;
  publish(fact: T): void;
  subscribe(listener: (fact: T) => void): void;
}

export const dbQuery = fact<DbQueryFact>('novacron:db.query');
export const dbPoolWait = fact<DbPoolWaitFact>('novacron:db.pool.wait');
export const dbPool = fact<DbPoolFact>('novacron:db.pool');
export const rpc = fact<RpcFact>('novacron:rpc');
export const consumed = fact<ConsumedFact>('novacron:consumed');

function fact<T>(name: string): Fact<T> {
  const wire = channel(name);
  return {
    name,
    publish: (message) => {
      if (wire.hasSubscribers) wire.publish(message);
    },
    subscribe: (listener) => wire.subscribe((message) => listener(message as T)),
  };
}
