import { STATISTICS_SQL } from './statistics-sql.js';

/**
 * Returns the transactions that may be committed on disk, and so be visible on a replica, while they are not visible
 * on the primary: their backend runs COMMIT and still holds its transaction id. A backend reports COMMIT before it
 * writes the commit record, and releases its id when the primary shows the commit. So every transaction that any
 * replica has shown is either in this result or visible to every later snapshot. (A statement that is its own
 * transaction is not recognised. Services end their writes with an explicit COMMIT.)
 *
 * It scans the sessions only when one may hold an id, because a scan of all connections is expensive. No session holds
 * one when no transaction before the snapshot's end runs and that end is the next id. (`age` counts from the next id
 * at its first call in a transaction, so it is called once in each.)
 *
 * It belongs to a superuser, because it reads other users' sessions. Without it a replica may show a commit that the
 * primary does not show yet.
 */
export const COMMITTING_SQL = `
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
         AND (state <> 'active' OR query ~* '^\\s*(commit|end)\\M'));
    END $$;
  GRANT EXECUTE ON FUNCTION novacron.committing() TO PUBLIC`;

/**
 * Lets every role read where the timelines of a promoted server forked, from a file that only a superuser may read.
 * Without it every token from before a promotion gets `history_lost`, even when its commit survived.
 */
export const TIMELINE_HISTORY_SQL = `
  CREATE SCHEMA IF NOT EXISTS novacron;
  GRANT USAGE ON SCHEMA novacron TO PUBLIC;
  CREATE OR REPLACE FUNCTION novacron.timeline_history() RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
      SELECT CASE WHEN left(pg_walfile_name(pg_current_wal_lsn()), 8) = '00000001' THEN ''
                  ELSE pg_read_file('pg_wal/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history') END
    $$;
  GRANT EXECUTE ON FUNCTION novacron.timeline_history() TO PUBLIC`;

/** The statements that a superuser runs once in each database. Each is safe to repeat. */
export const SUPERUSER_SQL: readonly string[] = [COMMITTING_SQL, TIMELINE_HISTORY_SQL, STATISTICS_SQL];
