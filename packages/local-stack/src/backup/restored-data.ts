import { existsSync, lstatSync, renameSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { postgresDirectory, postgresUser } from '../servers/postgres-home.js';

/** The directory in which a restore builds the new data directory `dir`. */
export const restoringDirectory = (dir: string) => `${dir}.restoring`;
/** The same directory when it is complete. The rest of the restore is renames. */
export const restoredDirectory = (dir: string) => `${dir}.restored`;

/**
 * Moves a restored data directory, if there is one, to its place. The previous data stay beside it. Also runs before
 * each start, because a restore may have died between the two renames.
 * @param wanted the server's directory below the home, which may be a link
 * @returns the directory of the previous data
 */
export function finishRestore(wanted: string): string | undefined {
  const dir = postgresDirectory(wanted, postgresUser());
  const restored = restoredDirectory(dir);
  if (!existsSync(restored)) return undefined;
  let aside: string | undefined;
  if (existsSync(dir)) {
    const now = new Date().toISOString().replaceAll(/[:.]/g, '-');
    aside = `${dir}.before-restore-${now}`;
    renameSync(dir, aside);
    const shown = join(dirname(wanted), basename(aside));
    if (!lstatSync(shown, { throwIfNoEntry: false })) symlinkSync(aside, shown);
  }
  renameSync(restored, dir);
  return aside;
}
