/**
 * The diagnostics of library packages: plain objects on `diagnostics_channel`s. A channel without a subscriber
 * costs nothing. `listenToDiagnostics` turns them into metrics, spans and log lines. No library knows about these.
 */
import { channel } from 'node:diagnostics_channel';

/** A query ended. `queryType` and `table` become labels: few, fixed words, never values. */
export interface DbQueryDiagnostic {
  readonly role: 'primary' | 'replica';
  /** `select`, `insert`, `update`, `delete`, `copy`, `transaction`, … */
  readonly queryType: string;
  readonly table: string;
  readonly durationMs: number;
  /** The statement's name or text, without parameters; shown when it was slow. */
  readonly statement?: string;
  /** Its text, where it has a name. */
  readonly text?: string;
  readonly error?: unknown;
}

/** A query that runs: the same object when it begins and when it ends. */
export interface DbRunDiagnostic {
  readonly role: 'primary' | 'replica';
  /** Name or text, without parameters. */
  readonly statement: string;
  /** Of `performance.now()`. */
  readonly startedAt: number;
}

/** What the query monitor found in Postgres; ratios from 0 to 1, null where nothing was read yet. */
export interface DbReportDiagnostic {
  readonly hitRatio: number | null;
  readonly indexRatio: number | null;
  /** Of this service, by state: `active`, `idle`, … */
  readonly connections: Readonly<Record<string, number>>;
  readonly servers: readonly {
    readonly server: string;
    readonly role: 'primary' | 'replica';
    readonly healthy: boolean;
    readonly lagMs: number;
    /** Routed reads that it answered since the start. */
    readonly reads: number;
  }[];
}

/** A connection was handed out by a pool after that long a wait. */
export interface DbPoolWaitDiagnostic {
  readonly pool: string;
  readonly waitMs: number;
}

/** A pool was opened; its numbers are read whenever metrics are asked for, until `closed` says true. */
export interface DbPoolDiagnostic {
  readonly pool: string;
  readonly read: () => {
    readonly max: number;
    readonly inUse: number;
    readonly idle: number;
    readonly waiting: number;
  };
  readonly closed: () => boolean;
}

/** One request/reply ended, seen from one side. `subject` has no ids in it. `code`: `ok` or an error's code. */
export interface RpcDiagnostic {
  readonly side: 'client' | 'server';
  readonly subject: string;
  readonly code: string;
  readonly durationMs: number;
}

/** A durable consumer handled a message, or failed to. */
export interface ConsumedDiagnostic {
  readonly stream: string;
  readonly consumer: string;
  readonly outcome: 'ok' | 'failed' | 'rebuilt';
  /** Messages that the stream still has for it. */
  readonly pending?: number;
}

interface Diagnostic<T> {
  readonly name: string;
  publish(message: T): void;
  subscribe(listener: (message: T) => void): void;
}

export const dbQuery = diagnostic<DbQueryDiagnostic>('novacron:db.query');
export const dbStarted = diagnostic<DbRunDiagnostic>('novacron:db.started');
export const dbEnded = diagnostic<DbRunDiagnostic>('novacron:db.ended');
export const dbReport = diagnostic<DbReportDiagnostic>('novacron:db.report');
export const dbPoolWait = diagnostic<DbPoolWaitDiagnostic>('novacron:db.pool.wait');
export const dbPool = diagnostic<DbPoolDiagnostic>('novacron:db.pool');
export const rpc = diagnostic<RpcDiagnostic>('novacron:rpc');
export const consumed = diagnostic<ConsumedDiagnostic>('novacron:consumed');

function diagnostic<T>(name: string): Diagnostic<T> {
  const wire = channel(name);
  return {
    name,
    publish: (message) => {
      if (wire.hasSubscribers) wire.publish(message);
    },
    subscribe: (listener) => wire.subscribe((message) => listener(message as T)),
  };
}
