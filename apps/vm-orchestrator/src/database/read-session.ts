import type { RequestMeta } from '@novacron/contracts/envelope';
import { formatPosition, parsePosition } from '@novacron/contracts/position';
import type { Database, Session } from '@novacron/postgres/database';
import type { ReadFrom } from '@novacron/postgres/session';

/** Where a read of this consistency goes: strong ones to the primary, others to a replica that is new enough. */
export function sessionFor(db: Database, meta: RequestMeta): Session {
  if (meta.consistency === 'strong') return db.strong;
  const bound =
    meta.consistency === 'causal' && meta.minPosition ? parsePosition(meta.minPosition) : undefined;
  return db.replica(bound);
}

/**
 * Where an answer is from, for a reply. `position` is what it may have seen, which a token carries on; `holds` is
 * what it has for certain.
 */
export function servedBy({ position, seen, servedFrom }: ReadFrom) {
  return { position: formatPosition(seen), holds: formatPosition(position), servedFrom };
}
