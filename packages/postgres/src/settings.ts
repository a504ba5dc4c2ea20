/** Where one Postgres server listens. `weight` shares reads between replicas; 0 takes none. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly weight?: number;
}

export type Role = 'api' | 'sys' | 'owner';

/** What a service needs to reach its schema. All durations are milliseconds. */
export interface DatabaseSettings {
  readonly primary: ServerAddress;
  readonly replicas?: readonly ServerAddress[];
  readonly database: string;
  /** Of the service; the login is `<schema>_<role>` and the search path is the schema alone. */
  readonly schema: string;
  readonly role: Role;
  readonly password: string;
  /** Connections to the primary, 1 to 50; a replica gets half. */
  readonly max?: number;
  /** Callers that may wait for a connection before `overloaded`. */
  readonly maxWaiting?: number;
  readonly acquireTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
  /** How far behind (in time since it was last seen up to date) a replica may be and still get reads. */
  readonly maxLagMs?: number;
}

/** Ceiling of one pool. The pools of all processes together stay below max_connections less 20. */
export const POOL_CEILING = 50;
export const POOL_DEFAULT: Readonly<Record<Role, number>> = { api: 10, sys: 10, owner: 2 };
/** At most this many idle connections are kept, each for this long, none older than its lifetime. */
export const MAX_IDLE = 25;
export const IDLE_MS = 60_000;
export const LIFETIME_MS = 300_000;
export const STATEMENT_TIMEOUT_MS = 30_000;
export const IDLE_IN_TRANSACTION_MS = 60_000;
export const CONNECT_TIMEOUT_MS = 3_000;
export const ACQUIRE_TIMEOUT_MS = 5_000;
export const MAX_WAITING = 1_000;
export const MAX_LAG_MS = 10_000;
/** The Retry-After of an answer when Postgres is not reachable. */
export const RETRY_AFTER_MS = 1_000;
/** The server ends a statement itself; this much later the connection is taken for dead. */
export const DEAD_CONNECTION_GRACE_MS = 2_000;

/** Login of a service's role: `orchestrator_api`. */
export function loginOf(settings: Pick<DatabaseSettings, 'schema' | 'role'>): string {
  return `${settings.schema}_${settings.role}`;
}

/** Checks the number of connections: a bad one stops the start. */
export function poolSize(settings: DatabaseSettings): number {
  const max = settings.max ?? POOL_DEFAULT[settings.role];
  if (!Number.isInteger(max) || max < 1 || max > POOL_CEILING) {
    throw new RangeError(`a Postgres pool holds 1 to ${POOL_CEILING} connections, not ${max}`);
  }
  return max;
}
