import { ServiceError } from '@novacron/contracts/errors';
import { parseLsn, type Position } from '@novacron/contracts/position';

/** For each earlier timeline of a primary, where it was left: what lies beyond on that timeline is lost here. */
export type Forks = ReadonlyMap<number, bigint>;

/** What a database's writes so far are: those of one cluster, up to the forks on earlier timelines. */
export interface History {
  readonly systemId: string;
  readonly timeline: number;
  readonly forks: Forks;
}

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

/**
 * Whether what bears `position` was committed in `history`. What was not, is of a future that was lost with an old
 * primary, or left behind by a restore. A timeline later than the known one is the present of somebody who has seen more.
 */
export function isPartOf(position: Position, history: History): boolean {
  if (position.systemId !== history.systemId) return false;
  if (position.timeline >= history.timeline) return true;
  const fork = history.forks.get(position.timeline);
  return fork !== undefined && position.lsn <= fork;
}
