import type { Statement } from './statement.js';

// What the query monitor asks. `current_schema()` is the service's; its roles begin with that name.

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

export const CONNECTIONS: Statement = {
  name: 'monitor_connections',
  text: `SELECT coalesce(state, 'unknown') AS state, count(*) AS count
           FROM pg_stat_activity
          WHERE datname = current_database() AND starts_with(usename, current_schema() || '_')
          GROUP BY 1`,
  table: 'none',
};

export const LONG_RUNNING: Statement = {
  name: 'monitor_long_running',
  text: `SELECT pid, usename AS role, starts_with(usename, current_schema() || '_') AS ours,
                (extract(epoch FROM clock_timestamp() - query_start) * 1000)::int AS ms, left(query, 500) AS query
           FROM pg_stat_activity
          WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
            AND query_start < clock_timestamp() - interval '5 seconds'
          ORDER BY query_start LIMIT 50`,
  table: 'none',
};

/** The schema that pg_stat_statements lies in, if it is there and this role may look. */
export const STATEMENTS_AT: Statement = {
  name: 'monitor_statements_at',
  text: `SELECT quote_ident(n.nspname) AS schema
           FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
          WHERE e.extname = 'pg_stat_statements' AND has_schema_privilege(n.oid, 'USAGE')`,
  table: 'none',
};

/** The service's statements that took most time. @param schema as {@link STATEMENTS_AT} quoted it */
export function topStatements(schema: string): Statement {
  return {
    text: `SELECT s.query, s.calls, s.total_exec_time AS "totalMs", s.mean_exec_time AS "meanMs",
                  s.max_exec_time AS "maxMs", s.min_exec_time AS "minMs", s.rows,
                  s.shared_blks_hit::float8 / nullif(s.shared_blks_hit + s.shared_blks_read, 0) AS "hitRatio"
             FROM ${schema}.pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
            WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND starts_with(r.rolname, current_schema() || '_')
            ORDER BY s.total_exec_time DESC LIMIT 20`,
    table: 'none',
  };
}
