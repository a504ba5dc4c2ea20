import type { Database, Statement } from '@novacron/postgres/database';
import { retrying } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';

/** What the database says of itself: its generation, and the history that it was in when that was last looked at. */
export interface ControlPlane {
  readonly generation: number;
  readonly history: string | null;
}

export const CONTROL_PLANE: Statement = {
  name: 'control-plane',
  text: 'SELECT generation, history FROM control_plane',
};
/**
 * Of several orchestrators that notice, one raises it. The clock, since the future that was lost may have raised it
 * too: restored twice from one backup, each time must be above the other. A database without a VM commands nobody.
 */
const ENTER: Statement = {
  name: 'control-plane-enter',
  text: `UPDATE control_plane SET history = $1,
      generation = CASE WHEN history IS NULL AND NOT EXISTS (SELECT FROM vms) THEN generation
                        ELSE greatest(generation + 1, extract(epoch FROM clock_timestamp())::bigint) END
    WHERE history IS DISTINCT FROM $1`,
};
const INVENTORIES_NOW: Statement = {
  name: 'inventories-now',
  text: 'UPDATE inventories SET next_at = now()',
};

/**
 * Takes over a database that is in another history than before: restored, or promoted. Fences that were given out in
 * the future that was lost count no more beside a higher generation, and every host is asked for what it has.
 * @returns the generation that holds now
 */
export async function enterHistory(
  db: Database,
  before: ControlPlane,
  history: string,
  log: Logger,
): Promise<number> {
  const { results } = await retrying(() =>
    db.primary.batch({}, [
      { statement: ENTER, params: [history] },
      { statement: CONTROL_PLANE },
      { statement: INVENTORIES_NOW },
    ]),
  );
  const { generation } = results[1]?.rows[0] as unknown as ControlPlane;
  if (before.history !== null)
    log.warn({ before, history, generation }, 'the database was restored or promoted: a new generation begins');
  return generation;
}
