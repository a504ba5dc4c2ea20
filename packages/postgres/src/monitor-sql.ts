import type { Statement } from './statement.js';

// The statements of the query monitor. `current_schema()` is the service's; its roles begin with that name.

export const HIT_RATIO: Statement = {
  name: 'monitor_hits',
  text: `SELECT (blks_hit::float8 / nullif(blks_hit + blks_read, 0)) AS ratio
           FROM pg_stat_database WHERE datname = current_database()`,
  table: 'none',
};

export const TABLES: Statement = {
  name: 'monitor_tables',
  text: `SELECT relname AS "table", seq_scan AS "seqScans", coalesce(idx_scan, 0) AS "indexScans",
                seq_tup_read AS "rowsBySeqScan", n_live_tup AS "rows", n_dead_tup AS "deadRows"
           FROM pg_stat_user_tables WHERE schemaname = current_schema()
          ORDER BY seq_tup_read DESC LIMIT 50`,
  table: 'none',
};

/** Whether this role may ask the functions below: bootstrap.sql makes them. */
export const MAY_ASK: Statement = {
  name: 'monitor_may_ask',
  text: `SELECT coalesce(has_function_privilege(to_regprocedure('novacron.service_sessions()'), 'EXECUTE'), false) AS may`,
  table: 'none',
};

export const CONNECTIONS: Statement = {
  name: 'monitor_connections',
  text: `SELECT coalesce(state, 'unknown') AS state, count(*) AS count
           FROM novacron.service_sessions() WHERE ours GROUP BY 1`,
  table: 'none',
};

export const LONG_RUNNING: Statement = {
  name: 'monitor_long_running',
  text: `SELECT pid, role, ours, ms::int AS ms, query FROM novacron.service_sessions()
          WHERE state = 'active' AND pid <> pg_backend_pid() AND ms > 5000 ORDER BY ms DESC LIMIT 50`,
  table: 'none',
};

/** The service's statements that took most time. */
export const STATEMENTS: Statement = {
  name: 'monitor_statements',
  text: 'SELECT * FROM novacron.service_statements()',
  table: 'none',
};
