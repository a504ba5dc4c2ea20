import { Periodic } from '@novacron/async/periodic';
import { context, trace, type Context } from '@opentelemetry/api';
import { dbEnded, dbQuery, dbStarted, type DbRunDiagnostic } from './diagnostics.js';
import type { Logger } from './logger.js';
import { counter, observableGauge } from './metrics.js';
import { SlowStatements, type SlowStatement } from './slow-statements.js';

/** A statement that takes longer is counted as slow and kept by its text. */
export const SLOW_STATEMENT_MS = 100;
/** One that still runs after this long is logged at once; far below the statement timeout of 30 s. */
export const LONG_RUNNING_MS = 5_000;
const KEPT_STATEMENTS = 500;
const SWEEP_MS = 1_000;

export interface RunningQuery {
  readonly role: 'primary' | 'replica';
  readonly statement: string;
  readonly runningMs: number;
  readonly traceId?: string;
}

export interface DatabaseWatchOptions {
  readonly slowMs?: number;
  readonly longMs?: number;
  readonly sweepMs?: number;
}

/** The queries of this process that are slow, and those that have been running for long. */
export class DatabaseWatch {
  readonly #slow = new SlowStatements(KEPT_STATEMENTS);
  readonly #running = new Map<DbRunDiagnostic, { readonly within: Context; warned: boolean }>();
  readonly #slowMs: number;
  readonly #longMs: number;

  /** Listens from now on, for as long as the process lives. */
  constructor(
    private readonly logger: Logger,
    { slowMs = SLOW_STATEMENT_MS, longMs = LONG_RUNNING_MS, sweepMs = SWEEP_MS }: DatabaseWatchOptions = {},
  ) {
    this.#slowMs = slowMs;
    this.#longMs = longMs;
    const slow = counter('database_slow_queries_total', `Database queries that took over ${slowMs} ms`);
    dbStarted.subscribe((run) => this.#running.set(run, { within: context.active(), warned: false }));
    dbEnded.subscribe((run) => this.#running.delete(run));
    dbQuery.subscribe(({ text, statement, durationMs, queryType, table }) => {
      if (durationMs <= this.#slowMs) return;
      slow.add(1, { query_type: queryType, table });
      this.#slow.add(text ?? statement ?? queryType, durationMs);
    });
    observableGauge(
      'database_long_running_queries',
      `Queries of this process that run for over ${longMs} ms`,
      (o) => o(this.#long().length),
    );
    new Periodic(() => this.#warn(), { everyMs: sweepMs }).start();
  }

  /** The slowest first; at most 500. */
  slow(): SlowStatement[] {
    return this.#slow.list();
  }

  /** Queries that have been running for long, the longest first. */
  longRunning(): RunningQuery[] {
    const now = performance.now();
    return this.#long()
      .map(([run, { within }]) => ({
        role: run.role,
        statement: run.statement,
        runningMs: Math.round(now - run.startedAt),
        ...traceOf(within),
      }))
      .sort((a, b) => b.runningMs - a.runningMs);
  }

  #long() {
    const since = performance.now() - this.#longMs;
    return [...this.#running].filter(([run]) => run.startedAt < since);
  }

  #warn(): void {
    for (const [run, state] of this.#long()) {
      if (state.warned) continue;
      state.warned = true;
      const runningMs = Math.round(performance.now() - run.startedAt);
      const about = { role: run.role, statement: run.statement, runningMs, ...traceOf(state.within) };
      this.logger.warn(about, 'query is running for long');
    }
  }
}

function traceOf(within: Context): { traceId?: string } {
  const span = trace.getSpanContext(within);
  return span === undefined ? {} : { traceId: span.traceId };
}

let watch: DatabaseWatch | undefined;

/** The one watch of this process; only the first call's arguments count. */
export function watchDatabase(logger: Logger, options?: DatabaseWatchOptions): DatabaseWatch {
  watch ??= new DatabaseWatch(logger, options);
  return watch;
}
