// Finds promtool, Prometheus' own checker of rules: on PATH, or in Debian's package without installing it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const TIMEOUT_MS = 120_000;

function runs(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Unpacks promtool below `folder`. Only root can update the package lists first. */
function unpack(folder) {
  const quiet = { cwd: folder, stdio: 'ignore', timeout: TIMEOUT_MS };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (process.getuid() === 0) execFileSync('apt-get', ['update', '-q'], quiet);
  execFileSync('apt-get', ['download', '-q', 'prometheus'], quiet);
  const [archive] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  // apt renames a file with a colon in its version, so take the only one in the folder.
  execFileSync('dpkg-deb', ['-x', archive, 'unpacked'], quiet);
}

/** Returns the program, or the reason why it is missing. */
export function findPromtool(root) {
  if (runs('promtool')) return { program: 'promtool' };
  const folder = join(root, '.toolchain', 'promtool');
  const program = join(folder, 'unpacked', 'usr', 'bin', 'promtool');
  if (existsSync(program) && runs(program)) return { program };
  try {
    unpack(folder);
    if (runs(program)) return { program };
    return { missing: 'the promtool of the package prometheus does not run here' };
  } catch (error) {
    return {
      missing: `promtool is not on PATH, and apt could not fetch it (${error.message.split('\n')[0]})`,
    };
  }
}
