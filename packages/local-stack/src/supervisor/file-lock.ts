import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { StackError } from '../stack-error.js';
import { commandLine, waitUntil } from './processes.js';

/** True when the lock was taken. `link` is atomic, so a lock always contains its owner's pid. */
function take(path: string): boolean {
  const own = `${path}.${randomUUID()}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function ownerIsGone(path: string): boolean {
  try {
    return commandLine(Number(readFileSync(path, 'utf8'))) === undefined;
  } catch {
    return false; // released between the two calls: the next attempt takes it
  }
}

/** Removes a dead owner's lock. Moves it aside first, and back when another process has taken it meanwhile. */
function breakLock(path: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another process broke it first
  }
  if (!ownerIsGone(aside)) linkSync(aside, path);
  rmSync(aside, { force: true });
}

/**
 * Runs `work` while holding the lock file `path`. Takes over the lock of a dead owner.
 * @throws StackError after `withinMs`
 */
export async function withFileLock<T>(path: string, withinMs: number, work: () => Promise<T>): Promise<T> {
  const taken = async () => {
    if (take(path)) return true;
    if (!ownerIsGone(path)) return false;
    breakLock(path);
    return take(path);
  };
  if (!(await waitUntil(taken, withinMs)))
    throw new StackError(`${path} is held by process ${readFileSync(path, 'utf8')}`, 'Wait for its end');
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}
