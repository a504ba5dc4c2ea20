import { parseLsn, type Position } from '@novacron/contracts/position';
import { isConnectionLoss } from './failure.js';
import type { Link } from './link.js';
import type { Pool } from './pool.js';
import { first, inner, wrap } from './primary.js';
import { observed } from './observe.js';
import type { Answers, QueryOptions } from './session.js';
import { MAX_LAG_MS, type DatabaseSettings, type ServerAddress } from './settings.js';
import { BEGIN_READ, RECEIVED, REPLAYED } from './statements.js';
import type { Call } from './statement.js';

const PROBE_MS = 1_000;
const PROBE_TIMEOUT_MS = 2_000;

/** How a replica is doing, for /replication and the router. */
export interface ReplicaStats {
  readonly server: string;
  readonly healthy: boolean;
  readonly timeline: number;
  readonly replayed: bigint;
  readonly lagMs: number;
}

/**
 * One streaming replica. It is probed every second; while it does not answer, was promoted, or is behind for
 * too long it takes no reads, and it comes back by itself.
 */
export class Replica {
  #timeline = 0;
  #systemId = '';
  /** As last seen; a standby only moves forward. */
  #replayed = 0n;
  #healthy = false;
  #caughtUpAt = 0;
  #probing = false;
  readonly #timer: NodeJS.Timeout;

  constructor(
    readonly address: ServerAddress,
    readonly pool: Pool,
    private readonly settings: DatabaseSettings,
    /** The newest position of the primary that this process knows of. */
    private readonly newest: () => bigint,
  ) {
    this.#timer = setInterval(() => void this.probe(), PROBE_MS);
    this.#timer.unref();
  }

  get weight(): number {
    return this.#healthy ? (this.address.weight ?? 1) : 0;
  }

  /** True when this server shows that history and has, as far as is known, replayed that far. */
  has(position: Position | undefined): boolean {
    return position === undefined || (this.shares(position) && this.#replayed >= position.lsn);
  }

  /** True when that position is of the history that this server shows. */
  shares(position: Position): boolean {
    return this.#systemId === position.systemId && this.#timeline === position.timeline;
  }

  /**
   * Reads when the replica has replayed `position`; null when it has not or is not there, and the caller
   * goes to the primary. The replay position is an earlier statement of the same batch than the query.
   */
  async read(options: QueryOptions, calls: readonly Call[], position?: Position): Promise<Answers | null> {
    if (position && !this.shares(position)) return null;
    const batch = wrap([{ statement: REPLAYED }, { statement: BEGIN_READ }], options, calls, RECEIVED);
    let link: Link | undefined;
    try {
      link = await this.pool.acquire(options.timeoutMs);
      const taken = link;
      const results = await observed('replica', first(calls), () => taken.run(batch, options.timeoutMs));
      const at = results[0]?.rows[0];
      if (!this.#learn(at)) return null;
      const replayed = this.#at(at?.lsn);
      if (position && replayed.lsn < position.lsn) return null;
      const seen = this.#at(results.at(-1)?.rows[0]?.lsn);
      return { results: inner(results, calls), position: replayed, seen, servedFrom: 'replica' };
    } catch (error) {
      // Whatever a replica cannot do (it is down, recovery cancelled the query) the primary still can.
      await link?.rollback();
      if (isConnectionLoss((error as Error).cause ?? error)) this.#healthy = false;
      return null;
    } finally {
      if (link) this.pool.release(link);
    }
  }

  /** Asks how far it has replayed. False when it does not answer as a standby; never rejects. */
  async look(): Promise<boolean> {
    let link: Link | undefined;
    try {
      link = await this.pool.acquire(PROBE_TIMEOUT_MS);
      const [answer] = await link.run([{ statement: REPLAYED }], PROBE_TIMEOUT_MS);
      return this.#learn(answer?.rows[0]);
    } catch {
      // Not answering is an answer: it is out of the rotation until a probe succeeds.
      this.#healthy = false;
      return false;
    } finally {
      if (link) this.pool.release(link);
    }
  }

  /** Brings health, timeline and lag up to date. Never rejects. */
  async probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    try {
      const newest = this.newest();
      const link = await this.pool.acquire(PROBE_TIMEOUT_MS);
      try {
        const identity = await link.identify(PROBE_TIMEOUT_MS);
        this.#timeline = identity.timeline;
        this.#systemId = identity.systemId;
      } finally {
        this.pool.release(link);
      }
      this.#replayed = 0n;
      const standby = await this.look();
      if (this.#replayed >= newest) this.#caughtUpAt = performance.now();
      this.#healthy = standby && this.#lagMs() <= (this.settings.maxLagMs ?? MAX_LAG_MS);
    } catch {
      // A probe that fails is the finding: the replica is out until one succeeds.
      this.#healthy = false;
    } finally {
      this.#probing = false;
    }
  }

  stats(): ReplicaStats {
    return {
      server: `${this.address.host}:${this.address.port}`,
      healthy: this.#healthy,
      timeline: this.#timeline,
      replayed: this.#replayed,
      lagMs: Math.round(this.#lagMs()),
    };
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.pool.close();
  }

  /** Takes note of a replay position; false when the server is no standby any more. */
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

  #lagMs(): number {
    return performance.now() - this.#caughtUpAt;
  }
}
