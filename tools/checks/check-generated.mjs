// Generated files are committed, so that a change of the API appears in its diff. This check generates them again and
// compares. A package takes part with a script `generate`: `node dist/generate.js` writes the files and prints their
// paths, one on each line.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { textsOf } from './files.mjs';

const before = textsOf(root);
const packages = [...before]
  .filter(([path]) => /^(apps|packages)\/[^/]+\/package\.json$/.test(path))
  .map(([path, text]) => ({
    folder: path.replace('/package.json', ''),
    scripts: JSON.parse(text).scripts ?? {},
  }))
  .filter(({ scripts }) => scripts.generate !== undefined);

const written = packages.flatMap(({ folder }) => {
  const output = execFileSync(process.execPath, [join('dist', 'generate.js')], { cwd: join(root, folder) });
  return output.toString().split('\n').filter(Boolean);
});

const after = textsOf(root);
const stale = written.filter((path) => before.get(path) !== after.get(path));
for (const path of stale)
  process.stdout.write(`${path} was not current and was written again: check the difference and commit it\n`);
if (written.length === 0) process.stdout.write('nothing was generated: is the script `generate` missing?\n');
process.exitCode = stale.length > 0 || written.length === 0 ? 1 : 0;
