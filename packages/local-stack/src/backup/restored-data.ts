import { existsSync, lstatSync, renameSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { postgresDirectory, postgresUser } from '../servers/postgres-home.js';

/** Where a restore builds what becomes the data directory `dir`. */
export const restoringDirectory = (dir: string) => `${dir}.restoring`;
/** The same when it is whole: from here on the restore is done, and what is left of it is renames. */
export const restoredDirectory = (dir: string) => `${dir}.restored`;

/**
 * Puts a restored data directory in its place, if there is one; the data before it stay beside it. Run before each
 * start, too: a restore may have died between the two renames.
 * @param wanted the server's directory below the home, which may be a link
 * @returns where the data before it are
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
