import { Periodic } from '@novacron/async/periodic';
import { sleep } from '@novacron/async/sleep';
import { ServiceError } from '@novacron/contracts/errors';
import { dbPool, dbPoolWait } from '@novacron/telemetry/diagnostics';
import { down, isConnectionLoss, translate } from './failure.js';
import { Connection } from './connection.js';
import {
  ACQUIRE_TIMEOUT_MS,
  IDLE_MS,
  LIFETIME_MS,
  MAX_IDLE,
  MAX_WAITING,
  RETRY_AFTER_MS,
  type DatabaseSettings,
  type ServerAddress,
} from './settings.js';

const SWEEP_MS = 100;

/** The state of a pool. */
export interface PoolStats {
  readonly pool: string;
  readonly max: number;
  readonly inUse: number;
  readonly idle: number;
  readonly waiting: number;
  /** Callers that had to wait since the start, and for how long in all. */
  readonly waits: number;
  readonly waitedMs: number;
}

interface Waiter {
  readonly since: number;
  readonly until: number;
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Connections to one server, at most `max`. A caller that finds none free waits in a line of bounded length
 * for a bounded time; past either bound it gets `overloaded`, or `dependency_down` when it was connecting
 * that failed or took too long. The connection used last is given out first, so that a quiet pool shrinks.
 */
export class Pool {
  readonly #idle: Connection[] = [];
  readonly #busy = new Set<Connection>();
  readonly #waiting: Waiter[] = [];
  readonly #sweeper = new Periodic(() => this.#sweep(performance.now()), { everyMs: SWEEP_MS });
  #opening = 0;
  #waits = 0;
  #waitedMs = 0;
  #closed = false;
  /** Why the last connection could not be opened; null after one could. */
  #lastFailure: unknown = null;

  constructor(
    private readonly settings: DatabaseSettings,
    private readonly address: ServerAddress,
    private readonly max: number,
    private readonly name: string,
  ) {
    this.#sweeper.start();
    dbPool.publish({ pool: name, read: () => this.stats(), closed: () => this.#closed });
  }

  /** A connection, at once when one is idle. Give it back with {@link release}. */
  acquire(
    timeoutMs = this.settings.acquireTimeoutMs ?? ACQUIRE_TIMEOUT_MS,
  ): Connection | Promise<Connection> {
    if (this.#closed) throw new ServiceError('draining', 'The database pool is closed');
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (!connection.usable) continue;
      this.#busy.add(connection);
      return connection;
    }
    const place = this.#waiting.length;
    if (place >= (this.settings.maxWaiting ?? MAX_WAITING)) throw this.#refusal(place);
    return new Promise((resolve, reject) => {
      const since = performance.now();
      this.#waiting.push({ since, until: since + timeoutMs, resolve, reject });
      this.#grow();
    });
  }

  /** Takes a connection back: to the next in line, to the idle ones, or away when it is worn or broken. */
  release(connection: Connection): void {
    this.#busy.delete(connection);
    if (!connection.usable) return this.#grow();
    const now = performance.now();
    if (
      this.#closed ||
      worn(connection, now) ||
      (this.#waiting.length === 0 && this.#idle.length >= MAX_IDLE)
    ) {
      retire(connection);
      return this.#grow();
    }
    const waiter = this.#waiting.shift();
    if (waiter) return this.#hand(connection, waiter, now);
    connection.idleSince = now;
    this.#idle.push(connection);
  }

  stats(): PoolStats {
    return {
      pool: this.name,
      max: this.max,
      inUse: this.#busy.size,
      idle: this.#idle.length,
      waiting: this.#waiting.length,
      waits: this.#waits,
      waitedMs: Math.round(this.#waitedMs),
    };
  }

  /** Refuses new callers, fails those in line, and waits for connections in use up to `graceMs`. */
  async close(graceMs = 5_000): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) {
      waiter.reject(new ServiceError('draining', 'The database pool is closed'));
    }
    const until = performance.now() + graceMs;
    while (this.#busy.size + this.#opening > 0 && performance.now() < until) await sleep(10);
    void this.#sweeper.stop();
    for (const connection of this.#busy)
      connection.destroy(new Error('Connection terminated: the pool was closed'));
    await Promise.allSettled(this.#idle.splice(0).map((connection) => connection.close()));
  }

  /** Fails the batches in flight, as lost: the server does not answer, and another one can. */
  abandon(): void {
    this.evict();
    for (const connection of this.#busy)
      connection.destroy(new Error('Connection terminated: the server does not answer'));
  }

  /** Drops every idle connection: the server has changed its role. */
  evict(): void {
    for (const connection of this.#idle.splice(0)) retire(connection);
  }

  #hand(connection: Connection, waiter: Waiter, now: number): void {
    this.#busy.add(connection);
    this.#waits++;
    this.#waitedMs += now - waiter.since;
    dbPoolWait.publish({ pool: this.name, waitMs: now - waiter.since });
    waiter.resolve(connection);
  }

  #grow(): void {
    while (
      !this.#closed &&
      this.#opening < this.#waiting.length &&
      this.#busy.size + this.#idle.length + this.#opening < this.max
    ) {
      this.#opening++;
      void this.#open();
    }
  }

  async #open(): Promise<void> {
    try {
      const connection = await Connection.open(this.settings, this.address);
      this.#opening--;
      this.#lastFailure = null;
      this.release(connection);
    } catch (error) {
      this.#opening--;
      this.#lastFailure = error;
      this.#waiting.shift()?.reject(isConnectionLoss(error) ? down(error) : translate(error));
      this.#grow();
    }
  }

  /** The error of a caller at that place in the line, from 0: the first ones wait for connections that are opening. */
  #refusal(place: number): ServiceError {
    if (this.#lastFailure !== null) return down(this.#lastFailure);
    const connecting = place < this.#opening || (this.#busy.size === 0 && this.#opening > 0);
    if (connecting) return down(new Error('The connection did not open in time'));
    return new ServiceError('overloaded', 'All database connections are in use', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  #sweep(now: number): void {
    for (const connection of this.#busy) connection.expire(now);
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      if ((this.#waiting[i] as Waiter).until < now) this.#waiting.splice(i, 1)[0]?.reject(this.#refusal(i));
    }
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const connection = this.#idle[i] as Connection;
      if (connection.usable && !worn(connection, now) && now - connection.idleSince < IDLE_MS) continue;
      this.#idle.splice(i, 1);
      retire(connection);
    }
  }
}

/** Spread over a tenth of the lifetime, so that connections opened together do not end together. */
function worn(connection: Connection, now: number): boolean {
  return now - connection.openedAt > LIFETIME_MS * (0.9 + ((connection.openedAt * 7919) % 100) / 1000);
}

function retire(connection: Connection): void {
  // The server may be gone already: then the connection is dropped without a goodbye.
  connection.close().catch((error: Error) => connection.destroy(error));
}
