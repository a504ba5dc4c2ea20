// Functions of a superuser that show a service's workers the statistics of its own queries only. The login's prefix
// identifies the service: `orchestrator_sys` sees the queries of `orchestrator_…`.

const OWN = `split_part(session_user::text, '_', 1) || '_'`;

/** Sessions of this database. A query's text is NULL unless a role of the caller's service runs it. */
const SESSIONS_SQL = `
  CREATE OR REPLACE FUNCTION novacron.service_sessions()
    RETURNS TABLE (pid integer, role text, ours boolean, state text, ms double precision, query text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
      SELECT a.pid, a.usename::text, o.ours, a.state,
             extract(epoch FROM clock_timestamp() - a.query_start)::float8 * 1000,
             CASE WHEN o.ours THEN left(a.query, 500) END
        FROM pg_stat_activity a, LATERAL (SELECT starts_with(a.usename::text, ${OWN})) AS o (ours)
       WHERE a.datname = current_database() AND a.backend_type = 'client backend'
    $$`;

/**
 * The 20 statements of the caller's service that took most time, from pg_stat_statements.
 * Raises object_not_in_prerequisite_state when the extension is missing or not loaded.
 */
const STATEMENTS_SQL = `
  CREATE OR REPLACE FUNCTION novacron.service_statements()
    RETURNS TABLE (query text, calls bigint, "totalMs" double precision, "meanMs" double precision,
                   "maxMs" double precision, "minMs" double precision, "rows" bigint, "hitRatio" double precision)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    DECLARE place text := (SELECT quote_ident(n.nspname) FROM pg_extension e
      JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements');
    BEGIN
      IF place IS NULL THEN
        RAISE EXCEPTION 'pg_stat_statements is not there' USING ERRCODE = 'object_not_in_prerequisite_state';
      END IF;
      RETURN QUERY EXECUTE format('SELECT s.query, s.calls, s.total_exec_time, s.mean_exec_time, s.max_exec_time,
          s.min_exec_time, s.rows, s.shared_blks_hit::float8 / nullif(s.shared_blks_hit + s.shared_blks_read, 0)
        FROM %s.pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
       WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND starts_with(r.rolname::text, $1)
       ORDER BY s.total_exec_time DESC LIMIT 20', place) USING ${OWN};
    END $$`;

/** The two functions. Only roles with a grant may execute them. */
export const STATISTICS_SQL = `
  CREATE SCHEMA IF NOT EXISTS novacron;
  GRANT USAGE ON SCHEMA novacron TO PUBLIC;${SESSIONS_SQL};${STATEMENTS_SQL};
  REVOKE EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() FROM PUBLIC`;

/** @param role of workers, `…_sys` */
export function statisticsGrant(role: string): string {
  return `GRANT EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() TO ${role}`;
}
