import { createHash } from 'node:crypto';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StackError } from '../stack-error.js';

/** The user that Postgres runs as. Undefined when this process is not root: then Postgres runs as the same user. */
export type ServerUser = { readonly uid: number; readonly gid: number } | undefined;

/** The `postgres` user of the package. Postgres refuses to run as root. */
export function postgresUser(): ServerUser {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (!uid || !gid) {
    throw new StackError(
      'Postgres refuses to run as root and there is no user named postgres',
      'Run: useradd -r postgres',
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** True when every user may traverse all directories above `path`. */
export function isReachable(path: string): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/**
 * The real directory for a Postgres data directory `wanted`; creates its parent.
 * The postgres user cannot reach a home below /root (0700). In that case the data is in /var/lib/novacron,
 * and `wanted` is a link to it.
 */
export function postgresDirectory(wanted: string, user: ServerUser): string {
  mkdirSync(dirname(wanted), { recursive: true });
  if (!user || isReachable(wanted)) return wanted;
  const key = createHash('sha256').update(dirname(wanted)).digest('hex').slice(0, 16);
  const real = join('/var/lib/novacron', key, basename(wanted));
  mkdirSync(dirname(real), { recursive: true, mode: 0o711 });
  if (!lstatSync(wanted, { throwIfNoEntry: false })) {
    // The home was removed by hand, and the password of the old data with it.
    rmSync(real, { recursive: true, force: true });
    symlinkSync(real, wanted);
  }
  return lstatSync(wanted).isSymbolicLink() ? readlinkSync(wanted) : wanted;
}

/** Makes `directory` (0700) for the server's user. */
export function ownDirectory(directory: string, user: ServerUser): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (user) chownSync(directory, user.uid, user.gid);
}
