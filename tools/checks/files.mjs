// The files of the repository. This also works without git.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git', '.turbo', '.toolchain']);

function isOurs(entry) {
  return !NOT_OURS.has(entry.name) && !(entry.isDirectory() && entry.name.startsWith('.novacron'));
}

/** The paths of all files under `root`, relative to it, with `/` between the parts. */
export function filesOf(root, folder = root) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(isOurs)
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesOf(root, path);
      return entry.isFile() ? [relative(root, path).split(sep).join('/')] : [];
    });
}

/** Paths and texts of all files under `root`: a few megabytes. */
export function textsOf(root) {
  return new Map(filesOf(root).map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}
