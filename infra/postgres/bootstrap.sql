-- Roles, schemas, grants and extensions of NovaCron, for a superuser. Safe to run again: it changes passwords
-- and grants to what is said here, and nothing else.
--
--   psql -d novacron -f bootstrap.sql
--
-- A password is a psql variable of the role's name with _password (-v gateway_owner_password=…) or, better since
-- no list of processes shows it, an environment variable as named below. Without replication_password no role
-- for replicas is made. The database exists already; services name it in NOVACRON_PG_DATABASE.
--
-- Written by: pnpm --filter @novacron/local-stack generate
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
GRANT pg_read_all_stats TO gateway_sys;
DO $$ BEGIN CREATE ROLE orchestrator_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE orchestrator_owner LOGIN NOBYPASSRLS PASSWORD :'orchestrator_owner_password';
ALTER ROLE orchestrator_owner SET search_path = orchestrator;
DO $$ BEGIN CREATE ROLE orchestrator_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE orchestrator_api LOGIN NOBYPASSRLS PASSWORD :'orchestrator_api_password';
ALTER ROLE orchestrator_api SET search_path = orchestrator;
DO $$ BEGIN CREATE ROLE orchestrator_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE orchestrator_sys LOGIN BYPASSRLS PASSWORD :'orchestrator_sys_password';
ALTER ROLE orchestrator_sys SET search_path = orchestrator;
GRANT pg_read_all_stats TO orchestrator_sys;
DO $$ BEGIN CREATE ROLE metrics_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE metrics_owner LOGIN NOBYPASSRLS PASSWORD :'metrics_owner_password';
ALTER ROLE metrics_owner SET search_path = metrics;
DO $$ BEGIN CREATE ROLE metrics_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE metrics_api LOGIN NOBYPASSRLS PASSWORD :'metrics_api_password';
ALTER ROLE metrics_api SET search_path = metrics;
DO $$ BEGIN CREATE ROLE metrics_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE metrics_sys LOGIN BYPASSRLS PASSWORD :'metrics_sys_password';
ALTER ROLE metrics_sys SET search_path = metrics;
GRANT pg_read_all_stats TO metrics_sys;
DO $$ BEGIN CREATE ROLE cache_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE cache_owner LOGIN NOBYPASSRLS PASSWORD :'cache_owner_password';
ALTER ROLE cache_owner SET search_path = cache;
DO $$ BEGIN CREATE ROLE cache_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE cache_api LOGIN NOBYPASSRLS PASSWORD :'cache_api_password';
ALTER ROLE cache_api SET search_path = cache;
DO $$ BEGIN CREATE ROLE cache_sys; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE cache_sys LOGIN BYPASSRLS PASSWORD :'cache_sys_password';
ALTER ROLE cache_sys SET search_path = cache;
GRANT pg_read_all_stats TO cache_sys;

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
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO gateway_owner, gateway_api, gateway_sys, orchestrator_owner, orchestrator_api, orchestrator_sys, metrics_owner, metrics_api, metrics_sys, cache_owner, cache_api, cache_sys;
CREATE SCHEMA IF NOT EXISTS gateway AUTHORIZATION gateway_owner;
GRANT USAGE ON SCHEMA gateway TO gateway_owner, gateway_api, gateway_sys;
GRANT USAGE ON SCHEMA public TO gateway_sys;
CREATE SCHEMA IF NOT EXISTS orchestrator AUTHORIZATION orchestrator_owner;
GRANT USAGE ON SCHEMA orchestrator TO orchestrator_owner, orchestrator_api, orchestrator_sys;
GRANT USAGE ON SCHEMA public TO orchestrator_sys;
CREATE SCHEMA IF NOT EXISTS metrics AUTHORIZATION metrics_owner;
GRANT USAGE ON SCHEMA metrics TO metrics_owner, metrics_api, metrics_sys;
GRANT USAGE ON SCHEMA public TO metrics_sys;
CREATE SCHEMA IF NOT EXISTS cache AUTHORIZATION cache_owner;
GRANT USAGE ON SCHEMA cache TO cache_owner, cache_api, cache_sys;
GRANT USAGE ON SCHEMA public TO cache_sys;
COMMIT;
