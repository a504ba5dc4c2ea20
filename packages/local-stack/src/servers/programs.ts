import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { searchPath } from '../config.js';
import { StackError } from '../stack-error.js';

/** Directories that hold servers on common systems but are not always on PATH. */
const extraDirectories = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin', '/sbin'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function pathDirectories(): string[] {
  return [...searchPath(), ...extraDirectories];
}

/** Full path of a program on PATH or in the usual server directories; undefined when there is none. */
export function findProgram(name: string): string | undefined {
  for (const directory of pathDirectories()) {
    const candidate = join(directory, name);
    if (isExecutable(candidate)) return candidate;
  }
  return undefined;
}

/** As findProgram, but a missing program is a StackError that names it. */
export function requireProgram(name: string): string {
  const found = findProgram(name);
  if (!found) throw new StackError(`${name} is not installed`, 'Run npm start, which says how to get it');
  return found;
}

function versionedDirectories(parent: string, suffix: string): string[] {
  try {
    return readdirSync(parent)
      .sort((a, b) => Number.parseFloat(b) - Number.parseFloat(a))
      .map((version) => join(parent, version, suffix));
  } catch {
    return []; // the parent directory is Debian's or Homebrew's own: absent elsewhere
  }
}

/** The directory with a complete Postgres server (postgres, initdb, pg_basebackup), the newest of several. */
export function findPostgres(): string | undefined {
  const onPath = pathDirectories()
    .map((directory) => join(directory, 'postgres'))
    .filter(isExecutable)
    .map((path) => dirname(realpathSync(path)));
  const candidates = [...onPath, ...versionedDirectories('/usr/lib/postgresql', 'bin')];
  return candidates.find((directory) =>
    ['postgres', 'initdb', 'pg_basebackup'].every((program) => isExecutable(join(directory, program))),
  );
}

/** As findPostgres, but a missing server is a StackError. */
export function requirePostgres(): string {
  const found = findPostgres();
  if (!found) throw new StackError('Postgres is not installed', 'Run npm start, which says how to get it');
  return found;
}
