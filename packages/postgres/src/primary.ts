import { sleep } from '@novacron/async/sleep';
import { ServiceError } from '@novacron/contracts/errors';
import type { Position } from '@novacron/contracts/position';
import { codeOf, down, translate, translateForClient } from './failure.js';
import { requireLineage, type Forks, type Lineage } from './lineage.js';
import type { Connection, Row } from './connection.js';
import { observed } from './observe.js';
import type { Pool } from './pool.js';
import { sessionOf, type QueryOptions, type RoutedResults, type Session } from './session.js';
import { probeOn, strictlyBefore } from './visibility-probe.js';
import { VisibleHorizon } from './visible-horizon.js';
import { BEGIN, BEGIN_READ, COMMIT, FLUSHED, setTenant } from './statements.js';
import type { Call, Result, Statement } from './statement.js';
import { Transaction } from './transaction.js';

const STALE_PLAN = '0A000';
/** A commit is on disk and not visible for microseconds; for longer only while it waits for a synchronous standby. */
const SETTLE_MS = 2_000;
const LOOK_AGAIN_MS = 1;
const NO_FORKS: Forks = new Map();
const TRANSACTION: Statement = { name: 'transaction', text: 'TRANSACTION', table: 'none' };

/** The result of a committed write. A read that presents `position` shows the write. */
export interface Committed {
  readonly results: Result<Row>[];
  readonly position: Position;
}

export interface PrimarySession extends Session {
  /**
   * One transaction in one round trip: BEGIN, the tenant, the statements, COMMIT, and the position after it.
   * If one fails nothing is committed and none after it runs.
   */
  batch(options: QueryOptions, calls: readonly Call[]): Promise<Committed>;
}

/** A connection that one holder keeps for long. */
export interface PinnedConnection {
  readonly lineage: { readonly systemId: string; readonly timeline: number };
  /** False once the connection is gone, and with it its locks. */
  alive(): boolean;
  /** Runs calls in one round trip; without a BEGIN among them they are one implicit transaction. */
  run(calls: readonly Call[], timeoutMs?: number): Promise<Result<Row>[]>;
  /** The same after a visibility probe, with the position up to which every commit is visible to the calls. */
  runAfterProbe(
    calls: readonly Call[],
    timeoutMs?: number,
  ): Promise<{ results: Result<Row>[]; visibleUpTo: Position }>;
  end(): void;
}

/** Work on the primary, the only server that takes writes. */
export class Primary {
  readonly session: PrimarySession;
  readonly #horizon = new VisibleHorizon();
  #lineage: Lineage | undefined;

  /** @param options `servesClients`: values in statements are those of clients' requests */
  constructor(
    private readonly pool: Pool,
    private readonly options: { readonly servesClients: boolean },
  ) {
    this.session = {
      ...sessionOf((options, calls) => this.#read(options, calls)),
      batch: (options, calls) => this.#batch(options, calls),
    };
  }

  /** Of the server that answered last; undefined before the first. */
  get lineage(): Lineage | undefined {
    return this.#lineage;
  }

  /**
   * Runs `work` in a transaction and commits it. An error rolls it back, and a ServiceError gets the position of its
   * state in `readAt`. The position is read on the same connection after COMMIT returned. Connection loss during COMMIT
   * leaves the outcome unknown.
   */
  transaction<T>(
    options: QueryOptions,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<{ result: T; position: Position }> {
    return observed('primary', TRANSACTION, () =>
      this.#with(options, async (connection) => {
        const tx = new Transaction(connection, options.tenantId);
        let result: T;
        try {
          result = await work(tx);
        } catch (error) {
          throw await tx.refused(error);
        }
        return { result, position: await tx.commit() };
      }),
    );
  }

  /** Takes a connection for long, for a session-level lock. It is closed, not reused, when it ends. */
  async pin(): Promise<PinnedConnection> {
    const connection = await this.pool.acquire();
    try {
      refuseStandby(connection);
    } catch (error) {
      this.pool.release(connection);
      throw error;
    }
    const run: PinnedConnection['run'] = (calls, timeoutMs) =>
      observed('primary', first(calls), async () => {
        try {
          return await connection.run(calls, timeoutMs);
        } catch (error) {
          await connection.rollback();
          throw error;
        }
      });
    return {
      lineage: connection.identity,
      alive: () => connection.usable,
      run,
      runAfterProbe: async (calls, timeoutMs) => {
        const { head, end } = probeOn(connection, this.#horizon);
        const results = await run([...head, ...calls], timeoutMs);
        return { results: results.slice(head.length), visibleUpTo: end(results).position };
      },
      end: () => {
        connection.destroy(new Error('Connection terminated: its holder let go of it'));
        this.pool.release(connection);
      },
    };
  }

  /**
   * Reads a state that has every commit up to `bound`, or, for `now`, every one that any server has shown so far. Its
   * `lowerBound` covers commits that a replica showed first, too.
   * @throws ServiceError `history_lost`; `dependency_down` when a commit stays between disk and view
   */
  async readVisible(
    options: QueryOptions,
    calls: readonly Call[],
    bound: Position | 'now' | undefined,
  ): Promise<RoutedResults> {
    const until = performance.now() + Math.min(options.timeoutMs ?? SETTLE_MS, SETTLE_MS);
    const once = await this.#probeAndRead(options, calls);
    if (typeof bound === 'object')
      requireLineage(bound, once.answers.upperBound, this.#lineage?.forks ?? NO_FORKS);
    const needed = bound === 'now' ? once.flushed : onTimeline(bound, once.answers.upperBound);
    if (!once.exact || once.answers.lowerBound.lsn >= needed) return once.answers;
    for (;;) {
      await sleep(LOOK_AGAIN_MS);
      const { answers, exact } = await this.#probeAndRead(options, []);
      if (!exact || answers.lowerBound.lsn >= needed) break;
      if (performance.now() > until) throw down(new Error('a commit is on disk and does not become visible'));
    }
    return (await this.#probeAndRead(options, calls)).answers;
  }

  /** Runs calls as they are, outside of a transaction: for probes. */
  async probe(calls: readonly Call[], timeoutMs: number): Promise<Result<Row>[]> {
    try {
      return await this.#with({ timeoutMs }, (connection) => connection.run(calls, timeoutMs));
    } catch (error) {
      // For a probe, a server that does not answer is not reachable.
      if (error instanceof ServiceError && error.code === 'deadline_exceeded') throw down(error);
      throw error;
    }
  }

  async #read(options: QueryOptions, calls: readonly Call[]): Promise<RoutedResults> {
    const batch = wrap([{ statement: FLUSHED }, { statement: BEGIN_READ }], options, calls);
    return observed('primary', first(calls), () =>
      this.#withFreshPlan(options, async (connection) => {
        const results = await connection.run(batch, options.timeoutMs);
        const flushed = connection.positionAt(results[0]?.rows[0]?.lsn);
        return {
          results: inner(results, calls),
          lowerBound: strictlyBefore(flushed),
          upperBound: connection.positionAt(results.at(-1)?.rows[0]?.lsn),
          servedFrom: 'primary',
        };
      }),
    );
  }

  #probeAndRead(
    options: QueryOptions,
    calls: readonly Call[],
  ): Promise<{ answers: RoutedResults; flushed: bigint; exact: boolean }> {
    return observed('primary', first(calls), () =>
      this.#withFreshPlan(options, async (connection) => {
        const { head, end } = probeOn(connection, this.#horizon);
        const batch = wrap([...head, { statement: BEGIN_READ }], options, calls);
        const results = await connection.run(batch, options.timeoutMs);
        const { position: lowerBound, flushed, exact } = end(results);
        const upperBound = connection.positionAt(results.at(-1)?.rows[0]?.lsn);
        return {
          answers: { results: inner(results, calls), lowerBound, upperBound, servedFrom: 'primary' as const },
          flushed,
          exact,
        };
      }),
    );
  }

  #batch(options: QueryOptions, calls: readonly Call[]): Promise<Committed> {
    const batch = wrap([{ statement: BEGIN }], options, calls);
    return observed('primary', first(calls), () =>
      this.#withFreshPlan(options, async (connection) => {
        const results = await connection.run(batch, options.timeoutMs);
        return {
          results: inner(results, calls),
          position: connection.positionAt(results.at(-1)?.rows[0]?.lsn),
        };
      }),
    );
  }

  /** A migration that changes a table makes prepared statements stale: they fail once and are parsed anew. */
  async #withFreshPlan<T>(options: QueryOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#with(options, work);
      } catch (error) {
        if (codeOf(error) !== STALE_PLAN || attempt === 3) throw error;
      }
    }
  }

  async #with<T>(options: QueryOptions, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.pool.acquire(options.timeoutMs);
    try {
      refuseStandby(connection);
      this.#lineage = connection.identity;
      return await work(connection);
    } catch (error) {
      await connection.rollback();
      throw this.options.servesClients ? translateForClient(error) : translate(error);
    } finally {
      this.pool.release(connection);
    }
  }
}

/** The LSN that `bound` asks of a primary on the timeline of `at`: an earlier timeline it has whole, up to the fork. */
function onTimeline(bound: Position | undefined, at: Position): bigint {
  return bound !== undefined && bound.timeline === at.timeline ? bound.lsn : 0n;
}

function refuseStandby(connection: Connection): void {
  if (!connection.identity.standby) return;
  const refusal = new Error('Connection terminated: the server configured as primary is a standby');
  connection.destroy(refusal);
  throw down(refusal);
}

/** The statements of a batch around the caller's: `head`, the tenant, the calls, COMMIT and a position. */
export function wrap(
  head: readonly Call[],
  options: QueryOptions,
  calls: readonly Call[],
  tail = FLUSHED,
): Call[] {
  const tenant = options.tenantId === undefined ? [] : [setTenant(options.tenantId)];
  return [...head, ...tenant, ...calls, { statement: COMMIT }, { statement: tail }];
}

/** The results of the caller's own statements: those before COMMIT and the position. */
export function inner(results: Result<Row>[], calls: readonly Call[]): Result<Row>[] {
  return results.slice(results.length - 2 - calls.length, results.length - 2);
}

export function first(calls: readonly Call[]): Statement {
  return calls[0]?.statement ?? TRANSACTION;
}
