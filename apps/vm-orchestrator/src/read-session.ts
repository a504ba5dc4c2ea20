import type { RequestMeta } from '@novacron/contracts/envelope';
import { parsePosition } from '@novacron/contracts/position';
import type { Database, Session } from '@novacron/postgres/database';

/** Where a read of this consistency goes: strong ones to the primary, others to a replica that is new enough. */
export function sessionFor(db: Database, meta: RequestMeta): Session {
  if (meta.consistency === 'strong') return db.primary;
  const bound =
    meta.consistency === 'causal' && meta.minPosition ? parsePosition(meta.minPosition) : undefined;
  return db.replica(bound);
}
