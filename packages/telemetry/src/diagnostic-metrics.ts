import { showDatabaseReports } from './database-report.js';
import { LONG_RUNNING_MS, watchDatabase } from './database-watch.js';
import { traceQueries } from './db-spans.js';
import { consumed, dbPool, dbPoolWait, dbQuery, rpc, type DbPoolDiagnostic } from './diagnostics.js';
import type { Logger } from './logger.js';
import { counter, DATABASE_BUCKETS, gauge, histogram, HTTP_BUCKETS, observableGauge } from './metrics.js';

const pools = new Set<DbPoolDiagnostic>();
let listening = false;

/** Turns diagnostics into metrics, log lines and spans. Only the first call in a process has an effect. */
export function listenToDiagnostics(logger: Logger): void {
  if (listening) return;
  listening = true;
  listenToDatabase(logger);
  watchDatabase(logger);
  showDatabaseReports();
  traceQueries();
  listenToPools();
  listenToMessaging();
}

function listenToDatabase(logger: Logger): void {
  const durations = histogram(
    'database_query_duration_seconds',
    'Database query duration in seconds',
    DATABASE_BUCKETS,
  );
  const errors = counter('database_query_errors_total', 'Database queries that failed');
  dbQuery.subscribe(({ queryType, table, durationMs, role, statement, error }) => {
    durations.record(durationMs / 1000, { query_type: queryType, table });
    if (error !== undefined) errors.add(1, { query_type: queryType, table });
    if (durationMs > LONG_RUNNING_MS) {
      logger.warn({ queryType, table, role, statement, durationMs: Math.round(durationMs) }, 'slow query');
    }
  });
}

function listenToPools(): void {
  dbPool.subscribe((pool) => pools.add(pool));
  const waits = histogram(
    'database_pool_wait_duration_seconds',
    'Time that a caller waited for a pooled connection',
    DATABASE_BUCKETS,
  );
  dbPoolWait.subscribe(({ pool, waitMs }) => waits.record(waitMs / 1000, { pool }));
  const show = (name: string, help: string, key: 'max' | 'inUse' | 'idle' | 'waiting') =>
    observableGauge(name, help, (observe) => {
      const sums = new Map<string, number>();
      for (const pool of openPools()) sums.set(pool.pool, (sums.get(pool.pool) ?? 0) + pool.read()[key]);
      for (const [pool, sum] of sums) observe(sum, { pool });
    });
  show('database_active_connections', 'Database connections in use', 'inUse');
  show('database_idle_connections', 'Database connections open and free', 'idle');
  show('database_pool_max_connections', 'Database connections that a pool may open', 'max');
  show('database_pool_in_use', 'Database connections of a pool in use', 'inUse');
  show('database_pool_idle', 'Database connections of a pool open and free', 'idle');
  show('database_pool_waiting', 'Callers that wait for a database connection', 'waiting');
}

function openPools(): Iterable<DbPoolDiagnostic> {
  for (const pool of pools) if (pool.closed()) pools.delete(pool);
  return pools;
}

function listenToMessaging(): void {
  const durations = histogram(
    'novacron_rpc_duration_seconds',
    'Request/reply duration over NATS in seconds',
    HTTP_BUCKETS,
  );
  rpc.subscribe(({ side, subject, code, durationMs }) =>
    durations.record(durationMs / 1000, { side, subject, code }),
  );
  const messages = counter('novacron_consumer_messages_total', 'Messages of durable consumers, by outcome');
  const behind = gauge('novacron_consumer_pending', 'Messages that a durable consumer has yet to get');
  consumed.subscribe(({ stream, consumer, outcome, pending }) => {
    messages.add(1, { stream, consumer, outcome });
    if (pending !== undefined) behind.set(pending, { stream, consumer });
  });
}
