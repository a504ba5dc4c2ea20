import { Periodic } from '@novacron/async/periodic';
import type { Position } from '@novacron/contracts/position';
import type { Lineage } from './lineage.js';
import { PrimaryProgress } from './lag.js';
import { Pool, type PoolStats } from './pool.js';
import { Primary, type PinnedConnection, type PrimarySession } from './primary.js';
import { Replica, type ReplicaStats } from './replica.js';
import { Router } from './router.js';
import { sessionOf, type QueryOptions, type Session } from './session.js';
import { poolSize, type DatabaseSettings } from './settings.js';
import { FLUSHED } from './statements.js';
import type { Transaction } from './transaction.js';

export type { DatabaseSettings, Role } from './settings.js';
export type { Call, Result, Statement } from './statement.js';
export type { RoutedResults, QueryOptions, RoutedResult, Session } from './session.js';
export type { PinnedConnection, PrimarySession } from './primary.js';
export type { Transaction } from './transaction.js';

const PING_TIMEOUT_MS = 2_000;
const NEWEST_EVERY_MS = 1_000;

export interface DatabaseStats {
  /** `host:port`, and reads that could have gone to a replica but were answered by the primary. */
  readonly primary: { readonly server: string; readonly reads: number };
  /** The primary's first, then the replicas' in their order. */
  readonly pools: readonly PoolStats[];
  readonly replicas: readonly ReplicaStats[];
}

/** One service's access to Postgres under one role. The call site says whether a read may go to a replica. */
export interface Database {
  /** Reads the newest state, and writes. */
  readonly primary: PrimarySession;
  /** Cluster and timeline of the primary, as of its last answer; undefined before the first. */
  readonly lineage: Lineage | undefined;
  /**
   * Reads from the primary a state that has every commit which any server has shown so far. A replica may show a commit
   * a moment before the primary does, and such a read waits for it.
   */
  readonly strong: Session;
  /**
   * Reads from a replica that has replayed `position` (any healthy one without it), else from the primary.
   * A write that depends on such a read needs a version predicate.
   * @throws ServiceError `history_lost` when the primary does not have every commit up to the position.
   */
  replica(position?: Position): Session;
  /**
   * Runs `work` in one transaction, committed when it returns and rolled back when it throws; `position` is
   * at or after the commit. Side effects belong after it, not inside.
   */
  transaction<T>(
    options: QueryOptions,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<{ result: T; position: Position }>;
  /** A connection of the primary's pool for one holder, for a session-level lock. */
  pin(): Promise<PinnedConnection>;
  /** Resolves when the primary answers and takes writes. @throws ServiceError `dependency_down` */
  ping(timeoutMs?: number): Promise<void>;
  stats(): DatabaseStats;
  /** Ends every connection, those in use after a grace. */
  close(): Promise<void>;
}

/**
 * Opens nothing yet: the first use connects, so a service may start before its database.
 * @throws RangeError when `max` is not 1 to 50
 */
export function createDatabase(settings: DatabaseSettings): Database {
  const max = poolSize(settings);
  const name = `${settings.schema}-${settings.role}`;
  const pool = new Pool(settings, settings.primary, max, `${name}-primary`);
  const primary = new Primary(pool, { servesClients: settings.role === 'api' });
  const progress = new PrimaryProgress();
  let primaryReads = 0;
  const replicas = (settings.replicas ?? []).map((address, index) => {
    const own = new Pool(settings, address, Math.ceil(max / 2), `${name}-replica-${index + 1}`);
    return new Replica(address, own, settings, progress);
  });
  const router = new Router(replicas);
  const stopWatching = replicas.length === 0 ? () => undefined : watchNewest(primary, progress);
  for (const replica of replicas) void replica.probe();

  return {
    primary: primary.session,
    get lineage() {
      return primary.lineage;
    },
    strong: sessionOf((options, calls) => primary.readVisible(options, calls, 'now')),
    replica: (position) =>
      sessionOf(async (options, calls) => {
        const replica = await router.pick(position);
        const answers = await replica?.read(options, calls, position);
        if (answers) return answers;
        primaryReads += 1;
        return primary.readVisible(options, calls, position);
      }),
    transaction: (options, work) => primary.transaction(options, work),
    pin: () => primary.pin(),
    async ping(timeoutMs = PING_TIMEOUT_MS) {
      await primary.probe([{ statement: FLUSHED }], timeoutMs);
    },
    stats: () => ({
      primary: { server: `${settings.primary.host}:${settings.primary.port}`, reads: primaryReads },
      pools: [pool.stats(), ...replicas.map((replica) => replica.pool.stats())],
      replicas: replicas.map((replica) => replica.stats()),
    }),
    async close() {
      stopWatching();
      await Promise.all([pool.close(), ...replicas.map((replica) => replica.close())]);
    },
  };
}

/** Reads the primary's position every second. A replica's lag is measured against it. */
function watchNewest(primary: Primary, progress: PrimaryProgress): () => void {
  const read = async (): Promise<void> => {
    const { upperBound } = await primary.readVisible({ timeoutMs: PING_TIMEOUT_MS }, [], undefined);
    progress.add(upperBound.lsn, performance.now());
  };
  // While the primary is down, the replicas are measured against its last known position.
  const watch = new Periodic(read, { everyMs: NEWEST_EVERY_MS, onError: () => undefined });
  watch.start();
  return () => void watch.stop();
}
