import { ServiceError } from '@novacron/contracts/errors';
import type { Position } from '@novacron/contracts/position';
import { codeOf, down, translate, translateForClient } from './failure.js';
import { requireHistory, type Forks, type History } from './history.js';
import type { Link, Row } from './link.js';
import { observed } from './observe.js';
import type { Pool } from './pool.js';
import { sessionOf, type Answers, type QueryOptions, type Session } from './session.js';
import { lookOn, strictlyBefore } from './look.js';
import { Settled } from './settled.js';
import { BEGIN, BEGIN_READ, COMMIT, FLUSHED, setTenant } from './statements.js';
import type { Call, Result, Statement } from './statement.js';
import { Transaction } from './transaction.js';

const STALE_PLAN = '0A000';
/** A commit is on disk and not visible for microseconds; for longer only while it waits for a synchronous standby. */
const SETTLE_MS = 2_000;
const LOOK_AGAIN_MS = 1;
const NO_FORKS: Forks = new Map();
const TRANSACTION: Statement = { name: 'transaction', text: 'TRANSACTION', table: 'none' };

/** What a committed write answers; a read that presents `position` sees it. */
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

/** A connection that its holder keeps to itself. */
export interface Held {
  readonly history: { readonly systemId: string; readonly timeline: number };
  /** False once the connection is gone, and with it what was locked on it. */
  alive(): boolean;
  /** Runs calls in one round trip; without a BEGIN among them they are one implicit transaction. */
  run(calls: readonly Call[], timeoutMs?: number): Promise<Result<Row>[]>;
  /** The same, and a position up to which every commit is visible to the calls. */
  runAfterLook(
    calls: readonly Call[],
    timeoutMs?: number,
  ): Promise<{ results: Result<Row>[]; settled: Position }>;
  end(): void;
}

/** Work on the primary: the only server that is written to. */
export class Primary {
  readonly session: PrimarySession;
  readonly #settled = new Settled();
  #history: History | undefined;

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
  get history(): History | undefined {
    return this.#history;
  }

  /**
   * Runs `work` in a transaction and commits it; an error rolls it back, and a ServiceError says in `readAt` of
   * which state it is. The position is read on the same connection after COMMIT returned. Connection loss during COMMIT leaves the outcome unknown.
   */
  transaction<T>(
    options: QueryOptions,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<{ result: T; position: Position }> {
    return observed('primary', TRANSACTION, () =>
      this.#with(options, async (link) => {
        const tx = new Transaction(link, options.tenantId);
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

  /** Takes a connection for long: for a session-level lock. It is closed, not reused, when it ends. */
  async hold(): Promise<Held> {
    const link = await this.pool.acquire();
    try {
      refuseStandby(link);
    } catch (error) {
      this.pool.release(link);
      throw error;
    }
    const run: Held['run'] = (calls, timeoutMs) =>
      observed('primary', first(calls), async () => {
        try {
          return await link.run(calls, timeoutMs);
        } catch (error) {
          await link.rollback();
          throw error;
        }
      });
    return {
      history: link.identity,
      alive: () => link.usable,
      run,
      runAfterLook: async (calls, timeoutMs) => {
        const { head, end } = lookOn(link, this.#settled);
        const results = await run([...head, ...calls], timeoutMs);
        return { results: results.slice(head.length), settled: end(results).position };
      },
      end: () => {
        link.destroy(new Error('Connection terminated: its holder let go of it'));
        this.pool.release(link);
      },
    };
  }

  /**
   * Reads a state that has every commit up to `bound`, or, for `now`, every one that any server has shown so
   * far. Its `position` holds for commits that were seen on a replica first, too.
   * @throws ServiceError `history_lost`; `dependency_down` when a commit stays between disk and view
   */
  async readSettled(
    options: QueryOptions,
    calls: readonly Call[],
    bound: Position | 'now' | undefined,
  ): Promise<Answers> {
    const until = performance.now() + Math.min(options.timeoutMs ?? SETTLE_MS, SETTLE_MS);
    const once = await this.#lookAndRead(options, calls);
    if (typeof bound === 'object') requireHistory(bound, once.answers.seen, this.#history?.forks ?? NO_FORKS);
    const needed = bound === 'now' ? once.flushed : onTimeline(bound, once.answers.seen);
    if (!once.exact || once.answers.position.lsn >= needed) return once.answers;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      const { answers, exact } = await this.#lookAndRead(options, []);
      if (!exact || answers.position.lsn >= needed) break;
      if (performance.now() > until) throw down(new Error('a commit is on disk and does not become visible'));
    }
    return (await this.#lookAndRead(options, calls)).answers;
  }

  /** Runs calls as they are, outside of any transaction of ours: for probes. */
  async probe(calls: readonly Call[], timeoutMs: number): Promise<Result<Row>[]> {
    try {
      return await this.#with({ timeoutMs }, (link) => link.run(calls, timeoutMs));
    } catch (error) {
      // To whoever asks whether it is there, a server that does not answer is not.
      if (error instanceof ServiceError && error.code === 'deadline_exceeded') throw down(error);
      throw error;
    }
  }

  async #read(options: QueryOptions, calls: readonly Call[]): Promise<Answers> {
    const batch = wrap([{ statement: FLUSHED }, { statement: BEGIN_READ }], options, calls);
    return observed('primary', first(calls), () =>
      this.#withFreshPlan(options, async (link) => {
        const results = await link.run(batch, options.timeoutMs);
        const flushed = link.positionAt(results[0]?.rows[0]?.lsn);
        return {
          results: inner(results, calls),
          position: strictlyBefore(flushed),
          seen: link.positionAt(results.at(-1)?.rows[0]?.lsn),
          servedFrom: 'primary',
        };
      }),
    );
  }

  #lookAndRead(
    options: QueryOptions,
    calls: readonly Call[],
  ): Promise<{ answers: Answers; flushed: bigint; exact: boolean }> {
    return observed('primary', first(calls), () =>
      this.#withFreshPlan(options, async (link) => {
        const { head, end } = lookOn(link, this.#settled);
        const batch = wrap([...head, { statement: BEGIN_READ }], options, calls);
        const results = await link.run(batch, options.timeoutMs);
        const { position, flushed, exact } = end(results);
        const seen = link.positionAt(results.at(-1)?.rows[0]?.lsn);
        return {
          answers: { results: inner(results, calls), position, seen, servedFrom: 'primary' as const },
          flushed,
          exact,
        };
      }),
    );
  }

  #batch(options: QueryOptions, calls: readonly Call[]): Promise<Committed> {
    const batch = wrap([{ statement: BEGIN }], options, calls);
    return observed('primary', first(calls), () =>
      this.#withFreshPlan(options, async (link) => {
        const results = await link.run(batch, options.timeoutMs);
        return { results: inner(results, calls), position: link.positionAt(results.at(-1)?.rows[0]?.lsn) };
      }),
    );
  }

  /** A migration that changes a table makes prepared statements stale: they fail once and are parsed anew. */
  async #withFreshPlan<T>(options: QueryOptions, work: (link: Link) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#with(options, work);
      } catch (error) {
        if (codeOf(error) !== STALE_PLAN || attempt === 3) throw error;
      }
    }
  }

  async #with<T>(options: QueryOptions, work: (link: Link) => Promise<T>): Promise<T> {
    const link = await this.pool.acquire(options.timeoutMs);
    try {
      refuseStandby(link);
      this.#history = link.identity;
      return await work(link);
    } catch (error) {
      await link.rollback();
      throw this.options.servesClients ? translateForClient(error) : translate(error);
    } finally {
      this.pool.release(link);
    }
  }
}

/** What `bound` asks of a primary that writes the timeline of `at`: of an earlier one it has all, up to the fork. */
function onTimeline(bound: Position | undefined, at: Position): bigint {
  return bound !== undefined && bound.timeline === at.timeline ? bound.lsn : 0n;
}

function refuseStandby(link: Link): void {
  if (!link.identity.standby) return;
  const refusal = new Error('Connection terminated: the server configured as primary is a standby');
  link.destroy(refusal);
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
