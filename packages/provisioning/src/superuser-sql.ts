import { STATISTICS_SQL } from './statistics-sql.js';

/**
 * Answers which transactions may be committed on disk, and so be shown by a replica, while the primary does not
 * show them yet: those whose backend is in COMMIT and still holds its transaction id. A backend tells that it
 * runs COMMIT before it writes the commit record and gives its id back when the primary shows the commit; so
 * whatever any replica has shown is either in this answer or visible to every later snapshot. (A statement that
 * is a transaction by itself is not recognised: what services write ends with a COMMIT of its own.)
 *
 * The sessions are looked through only when one may hold an id: a walk over all connections is dear. Nobody does
 * when none before the snapshot's end is running and the next id to be given (`age` counts from it; from where it was
 * when the transaction first asked, so this is asked once in each) is that end.
 *
 * A superuser's, since it looks at other users' sessions. Without it the moment between a replica's view and the
 * primary's stays open.
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
 * Lets every role read where the timelines of a promoted server forked; only a superuser may read that file.
 * Without it every token from before a promotion is answered `history_lost`, the ones that are not lost included.
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

/** What a superuser runs once in each database; each is safe to repeat. */
export const SUPERUSER_SQL: readonly string[] = [COMMITTING_SQL, TIMELINE_HISTORY_SQL, STATISTICS_SQL];
