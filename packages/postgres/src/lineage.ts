import { ServiceError } from '@novacron/contracts/errors';
import { parseLsn, type Position } from '@novacron/contracts/position';

/** The WAL position at which a primary left each earlier timeline: later commits on that timeline are lost here. */
export type Forks = ReadonlyMap<number, bigint>;

/** Identifies the writes of a database: those of one cluster, up to the forks on earlier timelines. */
export interface Lineage {
  readonly systemId: string;
  readonly timeline: number;
  readonly forks: Forks;
}

/** Parses a timeline history file of Postgres: lines of timeline, LSN at which it was left, and reason. */
export function parseTimelineHistory(text: string): Forks {
  const forks = new Map<number, bigint>();
  for (const line of text.split('\n')) {
    const [timeline, lsn] = line.trim().split(/\s+/);
    if (timeline && lsn && /^\d+$/.test(timeline)) forks.set(Number(timeline), parseLsn(lsn));
  }
  return forks;
}

/**
 * Passes when a primary at `primary` has every commit up to `position`.
 * @throws ServiceError `history_lost`
 */
export function requireLineage(position: Position, primary: Position, forks: Forks): void {
  const sameSystem = position.systemId === primary.systemId;
  const end = position.timeline === primary.timeline ? primary.lsn : forks.get(position.timeline);
  if (sameSystem && end !== undefined && position.lsn <= end) return;
  throw new ServiceError(
    'history_lost',
    'The database was restored or promoted without what this token has seen',
  );
}

/**
 * Whether a commit at `position` belongs to `lineage`. A commit that does not was lost with an old primary, or left
 * behind by a restore. A timeline later than the known one is the present of a process that has observed more.
 */
export function isPartOf(position: Position, history: Lineage): boolean {
  if (position.systemId !== history.systemId) return false;
  if (position.timeline >= history.timeline) return true;
  const fork = history.forks.get(position.timeline);
  return fork !== undefined && position.lsn <= fork;
}
