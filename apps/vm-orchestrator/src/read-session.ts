import type { RequestMeta } from '@novacron/contracts/envelope';
import { formatPosition, parsePosition } from '@novacron/contracts/position';
import type { Database, Session } from '@novacron/postgres/database';
import type { ReadFrom } from '@novacron/postgres/session';

/** Where a read of this consistency goes: strong ones to the primary, others to a replica that is new enough. */
export function sessionFor(db: Database, meta: RequestMeta): Session {
  if (meta.consistency === 'strong') return db.primary;
  const bound =
    meta.consistency === 'causal' && meta.minPosition ? parsePosition(meta.minPosition) : undefined;
  return db.replica(bound);
}

/**
 * Where an answer is from, for a reply. `position` is what it may have seen, which a token carries on; `holds` is
 * what it has for certain. The primary's flush position may be that of a commit which is not visible yet, so of
 * the primary it holds for certain only what is before.
 */
export function servedBy({ position, seen, servedFrom }: ReadFrom) {
  const holds = servedFrom === 'replica' ? position : { ...position, lsn: position.lsn - 1n };
  return { position: formatPosition(seen), holds: formatPosition(holds), servedFrom };
}
