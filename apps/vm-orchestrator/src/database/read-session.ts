import type { RequestMeta } from '@novacron/contracts/envelope';
import { formatPosition, parsePosition } from '@novacron/contracts/position';
import type { Database, Session } from '@novacron/postgres/database';
import type { ReadFrom } from '@novacron/postgres/session';

/** The session for a read of this consistency: the primary for a strong one, else a replica that is new enough. */
export function sessionFor(db: Database, meta: RequestMeta): Session {
  if (meta.consistency === 'strong') return db.strong;
  const bound =
    meta.consistency === 'causal' && meta.minPosition ? parsePosition(meta.minPosition) : undefined;
  return db.replica(bound);
}

/**
 * The server and the read position of an answer, for a reply. `position` is the upper bound, which a consistency token
 * carries; `holds` is the lower bound.
 */
export function servedBy({ lowerBound: position, upperBound: seen, servedFrom }: ReadFrom) {
  return { position: formatPosition(seen), holds: formatPosition(position), servedFrom };
}
