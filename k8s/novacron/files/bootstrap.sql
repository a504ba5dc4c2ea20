-- Roles, schemas, grants and extensions of NovaCron, for a superuser. Safe to run again: it changes passwords
-- and grants to what is said here, and nothing else.
--
--   psql -d novacron -f bootstrap.sql
--
-- Beside this file verifiers.generated.mjs turns the passwords of the environment into SCRAM verifiers, so that no
-- password reaches the server: eval "$(node verifiers.generated.mjs)"
--
-- A verifier (or, where that must be, a password) is an environment variable as named below, or a psql variable of the
-- role's name with _password (-v gateway_owner_password=…), which lists of processes show. Without replication_password
-- no role for replicas is made. The database exists already; services name it in NOVACRON_PG_DATABASE.
--
-- Written by: pnpm --filter @novacron/provisioning generate
\set ON_ERROR_STOP on
\getenv replication_password NOVACRON_PG_REPLICATION_PASSWORD
\getenv gateway_owner_password NOVACRON_PG_GATEWAY_OWNER_PASSWORD
\getenv gateway_api_password NOVACRON_PG_GATEWAY_API_PASSWORD
\getenv gateway_sys_password NOVACRON_PG_GATEWAY_SYS_PASSWORD
\getenv orchestrator_owner_password NOVACRON_PG_ORCHESTRATOR_OWNER_PASSWORD
\getenv orchestrator_api_password NOVACRON_PG_ORCHESTRATOR_API_PASSWORD
\getenv orchestrator_sys_password NOVACRON_PG_ORCHESTRATOR_SYS_PASSWORD
\getenv metrics_owner_password NOVACRON_PG_METRICS_OWNER_PASSWORD
\getenv metrics_api_password NOVACRON_PG_METRICS_API_PASSWORD
\getenv metrics_sys_password NOVACRON_PG_METRICS_SYS_PASSWORD
\getenv cache_owner_password NOVACRON_PG_CACHE_OWNER_PASSWORD
\getenv cache_api_password NOVACRON_PG_CACHE_API_PASSWORD
\getenv cache_sys_password NOVACRON_PG_CACHE_SYS_PASSWORD

SET track_activities = off;
SET pg_stat_statements.track_utility = off;
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET client_min_messages = warning;
BEGIN;
DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtextextended('novacron:bootstrap', 0)); END $$;

\if :{?replication_password}
DO $$ BEGIN CREATE ROLE novacron_replication; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE novacron_replication LOGIN REPLICATION PASSWORD :'replication_password';
\endif

DO $$ BEGIN CREATE ROLE gateway_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE gateway_owner LOGIN NOBYPASSRLS PASSWORD :'gateway_owner_password';
ALTER ROLE gateway_owner SET search_path = gateway;
DO $$ BEGIN CREATE ROLE gateway_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE gateway_api LOGIN NOBYPASSRLS PASSWORD :'gateway_api_password';
ALTER ROLE gateway_api SET search_path = gateway;
DO $$ BEGIN CREATE ROLE gateway_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE gateway_sys LOGIN BYPASSRLS PASSWORD :'gateway_sys_password';
ALTER ROLE gateway_sys SET search_path = gateway;
DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = 'pg_read_all_stats'::regrole
    AND member = 'gateway_sys'::regrole) THEN REVOKE pg_read_all_stats FROM gateway_sys; END IF; END $$;
DO $$ BEGIN CREATE ROLE orchestrator_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE orchestrator_owner LOGIN NOBYPASSRLS PASSWORD :'orchestrator_owner_password';
ALTER ROLE orchestrator_owner SET search_path = orchestrator;
DO $$ BEGIN CREATE ROLE orchestrator_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE orchestrator_api LOGIN NOBYPASSRLS PASSWORD :'orchestrator_api_password';
ALTER ROLE orchestrator_api SET search_path = orchestrator;
DO $$ BEGIN CREATE ROLE orchestrator_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE orchestrator_sys LOGIN BYPASSRLS PASSWORD :'orchestrator_sys_password';
ALTER ROLE orchestrator_sys SET search_path = orchestrator;
DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = 'pg_read_all_stats'::regrole
    AND member = 'orchestrator_sys'::regrole) THEN REVOKE pg_read_all_stats FROM orchestrator_sys; END IF; END $$;
DO $$ BEGIN CREATE ROLE metrics_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE metrics_owner LOGIN NOBYPASSRLS PASSWORD :'metrics_owner_password';
ALTER ROLE metrics_owner SET search_path = metrics;
DO $$ BEGIN CREATE ROLE metrics_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE metrics_api LOGIN NOBYPASSRLS PASSWORD :'metrics_api_password';
ALTER ROLE metrics_api SET search_path = metrics;
DO $$ BEGIN CREATE ROLE metrics_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE metrics_sys LOGIN BYPASSRLS PASSWORD :'metrics_sys_password';
ALTER ROLE metrics_sys SET search_path = metrics;
DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = 'pg_read_all_stats'::regrole
    AND member = 'metrics_sys'::regrole) THEN REVOKE pg_read_all_stats FROM metrics_sys; END IF; END $$;
DO $$ BEGIN CREATE ROLE cache_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE cache_owner LOGIN NOBYPASSRLS PASSWORD :'cache_owner_password';
ALTER ROLE cache_owner SET search_path = cache;
DO $$ BEGIN CREATE ROLE cache_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE cache_api LOGIN NOBYPASSRLS PASSWORD :'cache_api_password';
ALTER ROLE cache_api SET search_path = cache;
DO $$ BEGIN CREATE ROLE cache_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE cache_sys LOGIN BYPASSRLS PASSWORD :'cache_sys_password';
ALTER ROLE cache_sys SET search_path = cache;
DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = 'pg_read_all_stats'::regrole
    AND member = 'cache_sys'::regrole) THEN REVOKE pg_read_all_stats FROM cache_sys; END IF; END $$;

CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS novacron;
  GRANT USAGE ON SCHEMA novacron TO PUBLIC;
  CREATE OR REPLACE FUNCTION novacron.committing() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    DECLARE now_running pg_snapshot := pg_current_snapshot();
    BEGIN
      IF pg_snapshot_xmin(now_running) = pg_snapshot_xmax(now_running)
         AND age(pg_snapshot_xmax(now_running)::xid) = 0 THEN
        RETURN '';
      END IF;
      RETURN (SELECT coalesce(string_agg(backend_xid::text, ','), '')
        FROM pg_stat_get_activity(NULL)
       WHERE backend_xid IS NOT NULL
         AND backend_type = 'client backend'
         AND state NOT LIKE 'idle in transaction%'
         AND (state <> 'active' OR query ~* '^\s*(commit|end)\M'));
    END $$;
  GRANT EXECUTE ON FUNCTION novacron.committing() TO PUBLIC;
CREATE SCHEMA IF NOT EXISTS novacron;
  GRANT USAGE ON SCHEMA novacron TO PUBLIC;
  CREATE OR REPLACE FUNCTION novacron.timeline_history() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
      SELECT CASE WHEN left(pg_walfile_name(pg_current_wal_lsn()), 8) = '00000001' THEN ''
                  ELSE pg_read_file('pg_wal/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history') END
    $$;
  GRANT EXECUTE ON FUNCTION novacron.timeline_history() TO PUBLIC;
CREATE SCHEMA IF NOT EXISTS novacron;
  GRANT USAGE ON SCHEMA novacron TO PUBLIC;
  CREATE OR REPLACE FUNCTION novacron.service_sessions()
    RETURNS TABLE (pid integer, role text, ours boolean, state text, ms double precision, query text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
      SELECT a.pid, a.usename::text, o.ours, a.state,
             extract(epoch FROM clock_timestamp() - a.query_start)::float8 * 1000,
             CASE WHEN o.ours THEN left(a.query, 500) END
        FROM pg_stat_activity a, LATERAL (SELECT starts_with(a.usename::text, split_part(session_user::text, '_', 1) || '_')) AS o (ours)
       WHERE a.datname = current_database() AND a.backend_type = 'client backend'
    $$;
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
       ORDER BY s.total_exec_time DESC LIMIT 20', place) USING split_part(session_user::text, '_', 1) || '_';
    END $$;
  REVOKE EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() FROM PUBLIC;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO gateway_owner, gateway_api, gateway_sys, orchestrator_owner, orchestrator_api, orchestrator_sys, metrics_owner, metrics_api, metrics_sys, cache_owner, cache_api, cache_sys;
CREATE SCHEMA IF NOT EXISTS gateway AUTHORIZATION gateway_owner;
GRANT USAGE ON SCHEMA gateway TO gateway_owner, gateway_api, gateway_sys;
REVOKE USAGE ON SCHEMA public FROM gateway_sys;
GRANT EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() TO gateway_sys;
CREATE SCHEMA IF NOT EXISTS orchestrator AUTHORIZATION orchestrator_owner;
GRANT USAGE ON SCHEMA orchestrator TO orchestrator_owner, orchestrator_api, orchestrator_sys;
REVOKE USAGE ON SCHEMA public FROM orchestrator_sys;
GRANT EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() TO orchestrator_sys;
CREATE SCHEMA IF NOT EXISTS metrics AUTHORIZATION metrics_owner;
GRANT USAGE ON SCHEMA metrics TO metrics_owner, metrics_api, metrics_sys;
REVOKE USAGE ON SCHEMA public FROM metrics_sys;
GRANT EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() TO metrics_sys;
CREATE SCHEMA IF NOT EXISTS cache AUTHORIZATION cache_owner;
GRANT USAGE ON SCHEMA cache TO cache_owner, cache_api, cache_sys;
REVOKE USAGE ON SCHEMA public FROM cache_sys;
GRANT EXECUTE ON FUNCTION novacron.service_sessions(), novacron.service_statements() TO cache_sys;
DO $$
  DECLARE place text := (SELECT quote_ident(n.nspname) FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements');
  BEGIN
    EXECUTE format('SELECT count(%1$s.pg_stat_statements_reset(userid, dbid, queryid))
      FROM %1$s.pg_stat_statements WHERE query ~* ''password''', place);
  EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
  END $$;
COMMIT;
