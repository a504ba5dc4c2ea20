import { CircuitBreaker } from '@novacron/async/circuit-breaker';
import { Periodic } from '@novacron/async/periodic';
import { ServiceError } from '@novacron/contracts/errors';
import { parseLsn, type Position } from '@novacron/contracts/position';
import { isConnectionLoss } from './failure.js';
import type { PrimaryProgress } from './lag.js';
import type { Connection } from './connection.js';
import type { Pool } from './pool.js';
import { first, inner, wrap } from './primary.js';
import { observed } from './observe.js';
import type { RoutedResults, QueryOptions } from './session.js';
import { MAX_LAG_MS, type DatabaseSettings, type ServerAddress } from './settings.js';
import { BEGIN_READ, LAST_REPLAYED, RECEIVED, REPLAYED } from './statements.js';
import type { Call } from './statement.js';

const PROBE_MS = 1_000;
/** A replica that fails reads takes none for a second, and for longer each time that it fails again. */
const BREAKER = { failures: 3, openMs: 1_000, maxOpenMs: 15_000 };
const PROBE_TIMEOUT_MS = 2_000;

/** How a replica is doing, for /replication and the router. */
export interface ReplicaStats {
  readonly server: string;
  /** Takes reads now. */
  readonly healthy: boolean;
  /** Its configured share of the reads. */
  readonly weight: number;
  readonly timeline: number;
  readonly replayed: bigint;
  /** For how long the primary has had WAL that this server has not replayed, as measured here to about a second. */
  readonly lagMs: number;
  /** Answered since the start. */
  readonly reads: number;
}

/**
 * One streaming replica. It is probed every second. It takes no reads while it does not answer, was promoted, is behind
 * for too long or has just failed reads. It comes back by itself.
 */
export class Replica {
  #timeline = 0;
  #systemId = '';
  /** As last seen; a standby only moves forward. */
  #replayed = 0n;
  #healthy = false;
  #lagMs = 0;
  readonly #breaker = new CircuitBreaker(BREAKER);
  readonly #openedAt = performance.now();
  #reads = 0;
  readonly #probes = new Periodic(() => this.#probe(), { everyMs: PROBE_MS });

  constructor(
    readonly address: ServerAddress,
    readonly pool: Pool,
    private readonly settings: DatabaseSettings,
    private readonly progress: PrimaryProgress,
  ) {
    this.#probes.start();
  }

  /** Its share of reads; 0 while it takes none. */
  get weight(): number {
    return this.#healthy && this.#breaker.state !== 'open' ? this.#configured : 0;
  }

  get #configured(): number {
    return this.address.weight ?? 1;
  }

  /** Reads that it has in hand for us, those that wait for a connection included. */
  get load(): number {
    const { inUse, waiting } = this.pool.stats();
    return inUse + waiting;
  }

  get replayed(): bigint {
    return this.#replayed;
  }

  /** True when this server is on that timeline and is known to have replayed that far. */
  has(position: Position | undefined): boolean {
    return position === undefined || (this.shares(position) && this.#replayed >= position.lsn);
  }

  /** True when that position is of this server's timeline. */
  shares(position: Position): boolean {
    return this.#systemId === position.systemId && this.#timeline === position.timeline;
  }

  /**
   * Reads when the replica has replayed `position`; null when it has not or is not there, and the caller
   * goes to the primary. The replay position is an earlier statement of the same batch than the query.
   */
  async read(
    options: QueryOptions,
    calls: readonly Call[],
    position?: Position,
  ): Promise<RoutedResults | null> {
    if (position && !this.shares(position)) return null;
    const batch = wrap([{ statement: REPLAYED }, { statement: BEGIN_READ }], options, calls, RECEIVED);
    let connection: Connection | undefined;
    try {
      connection = await this.pool.acquire(options.timeoutMs);
      const taken = connection;
      const results = await observed('replica', first(calls), () => taken.run(batch, options.timeoutMs));
      const at = results[0]?.rows[0];
      if (!this.#learn(at)) return null;
      const replayed = this.#at(at?.lsn);
      if (position && replayed.lsn < position.lsn) return null;
      const seen = this.#at(results.at(-1)?.rows[0]?.lsn);
      this.#reads += 1;
      this.#breaker.succeeded();
      return {
        results: inner(results, calls),
        lowerBound: replayed,
        upperBound: seen,
        servedFrom: 'replica',
      };
    } catch (error) {
      // The primary can answer a read that a replica cannot (it is down, recovery cancelled the query).
      await connection?.rollback();
      this.#failed(error);
      return null;
    } finally {
      if (connection) this.pool.release(connection);
    }
  }

  #failed(error: unknown): void {
    const gone = isConnectionLoss((error as Error).cause ?? error);
    // An error of SQL is the caller's, and a full pool is ours.
    if (!gone && !(error instanceof ServiceError && error.code === 'deadline_exceeded')) return;
    this.#breaker.failed(gone);
    if (gone) this.#healthy = false;
  }

  /** Asks how far it has replayed. False when it does not answer as a standby; never rejects. */
  async look(): Promise<boolean> {
    let connection: Connection | undefined;
    try {
      connection = await this.pool.acquire(PROBE_TIMEOUT_MS);
      const [answer] = await connection.run([{ statement: REPLAYED }], PROBE_TIMEOUT_MS);
      return this.#learn(answer?.rows[0]);
    } catch {
      // A server that does not answer leaves the rotation until a probe succeeds.
      this.#healthy = false;
      return false;
    } finally {
      if (connection) this.pool.release(connection);
    }
  }

  /** Brings health, timeline and lag up to date. Never rejects. */
  probe(): Promise<void> {
    return this.#probes.run();
  }

  async #probe(): Promise<void> {
    try {
      const connection = await this.pool.acquire(PROBE_TIMEOUT_MS);
      try {
        const identity = await connection.identify(PROBE_TIMEOUT_MS);
        this.#timeline = identity.timeline;
        this.#systemId = identity.systemId;
      } finally {
        this.pool.release(connection);
      }
      this.#replayed = 0n;
      const standby = await this.look();
      this.#lagMs = await this.#measureLag(performance.now());
      this.#healthy = standby && this.#lagMs <= (this.settings.maxLagMs ?? MAX_LAG_MS);
    } catch (error) {
      // All of its connections are at work: it is busy, not gone.
      if (error instanceof ServiceError && error.code === 'overloaded') return;
      // The replica is out of the rotation until a probe succeeds. Its reads in flight would wait for their whole
      // time limit, and the primary can answer them.
      this.#healthy = false;
      this.pool.abandon();
    }
  }

  stats(): ReplicaStats {
    return {
      server: `${this.address.host}:${this.address.port}`,
      healthy: this.weight > 0,
      weight: this.#configured,
      timeline: this.#timeline,
      replayed: this.#replayed,
      lagMs: Math.round(this.#lagMs),
      reads: this.#reads,
    };
  }

  close(): Promise<void> {
    void this.#probes.stop();
    return this.pool.close();
  }

  /** Records a replay position; false when the server is not a standby any more. */
  #learn(row: Record<string, unknown> | undefined): boolean {
    if (row?.standby !== true || typeof row.lsn !== 'string') {
      this.#healthy = false;
      this.pool.evict();
      return false;
    }
    const lsn = parseLsn(row.lsn);
    if (lsn > this.#replayed) this.#replayed = lsn;
    return true;
  }

  #at(lsn: unknown): Position {
    return { systemId: this.#systemId, timeline: this.#timeline, lsn: parseLsn(lsn as string) };
  }

  /** A process that is younger than the bound has not watched the primary for long enough: the replica is asked. */
  async #measureLag(now: number): Promise<number> {
    const watched = this.progress.lagMs(this.#replayed, now);
    const maxLagMs = this.settings.maxLagMs ?? MAX_LAG_MS;
    if (watched === 0 || now - this.#openedAt > maxLagMs + 2 * PROBE_MS) return watched;
    const connection = await this.pool.acquire(PROBE_TIMEOUT_MS);
    try {
      const [answer] = await connection.run([{ statement: LAST_REPLAYED }], PROBE_TIMEOUT_MS);
      return Math.max(watched, Number(answer?.rows[0]?.ms ?? 0));
    } finally {
      this.pool.release(connection);
    }
  }
}
