import type { Database, Statement } from '@novacron/postgres/database';
import { retrying } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';

/** What the database says of itself: its generation, and the history that it was in when that was last looked at. */
export interface ControlPlane {
  readonly generation: number;
  readonly history: string | null;
  /** Object ids of the database and of the table when that was looked at, and now. */
  readonly place: string | null;
  readonly here: string;
}

export const CONTROL_PLANE: Statement = {
  name: 'control-plane',
  text: `SELECT generation, history, place,
      (SELECT oid FROM pg_database WHERE datname = current_database()) || '.' || 'control_plane'::regclass::oid AS here
    FROM control_plane`,
};
/**
 * Of several orchestrators that notice, one raises it. The clock, since the future that was lost may have raised it
 * too: restored twice from one backup, each time must be above the other. A database without a VM commands nobody.
 */
const ENTER: Statement = {
  name: 'control-plane-enter',
  text: `UPDATE control_plane SET history = $1, place = $2,
      generation = CASE WHEN history IS NULL AND NOT EXISTS (SELECT FROM vms) THEN generation
                        ELSE greatest(generation + 1, extract(epoch FROM clock_timestamp())::bigint) END
    WHERE history IS DISTINCT FROM $1`,
};
const INVENTORIES_NOW: Statement = {
  name: 'inventories-now',
  text: 'UPDATE inventories SET next_at = now()',
};

/**
 * The generation that holds for commands: the one that is stored, or the next, when the database has come into
 * another history.
 * @throws Error when a dump was read back into the cluster that it came from: positions go on there, and what the
 *   future that was lost has promised and cached cannot be told from what is so
 */
export async function generationIn(
  db: Database,
  known: ControlPlane,
  history: string,
  log: Logger,
): Promise<number> {
  if (known.history !== history) return enterHistory(db, known, history, log);
  if (known.place === known.here) return known.generation;
  throw new Error(
    'the database was restored into the cluster that it was backed up from. Restore it into a new one: docs/backup.md',
  );
}

/**
 * Takes over a database that is in another history than before: restored, or promoted. Fences that were given out in
 * the future that was lost count no more beside a higher generation, and every host is asked for what it has.
 * @returns the generation that holds now
 */
async function enterHistory(
  db: Database,
  before: ControlPlane,
  history: string,
  log: Logger,
): Promise<number> {
  const { results } = await retrying(() =>
    db.primary.batch({}, [
      { statement: ENTER, params: [history, before.here] },
      { statement: CONTROL_PLANE },
      { statement: INVENTORIES_NOW },
    ]),
  );
  const { generation } = results[1]?.rows[0] as unknown as ControlPlane;
  if (before.history !== null)
    log.warn(
      { before, history, generation },
      'the database was restored or promoted: a new generation begins',
    );
  return generation;
}
