import type { Database, Statement } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';

/** The control plane's generation, and the lineage of the database when it was last checked. */
export interface ControlPlane {
  readonly generation: number;
  readonly history: string | null;
  /** Object ids of the database and of the table at the last check, and now. */
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
 * Of several orchestrators that notice a new lineage, one raises the generation. It is at least the clock, because the
 * lost future may have raised it too: after two restores of one backup, each must be above the other. A database
 * without VMs keeps its generation.
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
 * The generation of commands: the stored one, or the next one when the database has another lineage.
 * @throws Error when a dump was restored into the cluster that it came from: its positions continue, so that cached and
 *   promised data of the lost future cannot be distinguished from the present
 */
export async function generationIn(
  db: Database,
  known: ControlPlane,
  history: string,
  log: Logger,
): Promise<number> {
  if (known.history !== history) return enterLineage(db, known, history, log);
  if (known.place === known.here) return known.generation;
  throw new Error(
    'the database was restored into the cluster that it was backed up from. Restore it into a new one: docs/backup.md',
  );
}

/**
 * Takes over a database with another lineage than before: restored, or promoted. A higher generation invalidates the
 * fences of the lost future, and every host is asked for its inventory.
 * @returns the new generation
 */
async function enterLineage(
  db: Database,
  before: ControlPlane,
  history: string,
  log: Logger,
): Promise<number> {
  const { results } = await withRetry(() =>
    db.primary.batch({}, [
      { statement: ENTER, params: [history, before.here] },
      { statement: CONTROL_PLANE },
      { statement: INVENTORIES_NOW },
    ]),
  );
  const { generation } = results[1]?.rows[0] as unknown as ControlPlane;
  if (before.history !== null)
    log.warn({ before, history, generation }, 'database restored or promoted, a new generation begins');
  return generation;
}
