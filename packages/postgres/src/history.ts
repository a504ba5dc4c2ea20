import { ServiceError } from '@novacron/contracts/errors';
import { parseLsn, type Position } from '@novacron/contracts/position';

/** For each earlier timeline of a primary, where it was left: what lies beyond on that timeline is lost here. */
export type Forks = ReadonlyMap<number, bigint>;

/**
 * Lets every role read where the timelines of a promoted server forked; only a superuser may read that file.
 * Run once in each database by a superuser (safe to repeat). Without it every token from before a promotion
 * is answered `history_lost`, the ones that are not lost included.
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

/** Reads a history file: lines of timeline, LSN at which it was left, and reason. */
export function parseHistory(text: string): Forks {
  const forks = new Map<number, bigint>();
  for (const line of text.split('\n')) {
    const [timeline, lsn] = line.trim().split(/\s+/);
    if (timeline && lsn && /^\d+$/.test(timeline)) forks.set(Number(timeline), parseLsn(lsn));
  }
  return forks;
}

/**
 * Passes when the primary, which has got as far as `primary`, has everything that `position` can have seen.
 * @throws ServiceError `history_lost`
 */
export function requireHistory(position: Position, primary: Position, forks: Forks): void {
  const sameSystem = position.systemId === primary.systemId;
  const end = position.timeline === primary.timeline ? primary.lsn : forks.get(position.timeline);
  if (sameSystem && end !== undefined && position.lsn <= end) return;
  throw new ServiceError(
    'history_lost',
    'The database was restored or promoted without what this token has seen',
  );
}
