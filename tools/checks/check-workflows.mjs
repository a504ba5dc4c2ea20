// Checks of .github/workflows that read other files: the called npm scripts exist, and actionlint finds nothing.
// actionlint is a Go program: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from '../toolchain.mjs';

const folder = join(root, '.github', 'workflows');

function unknownScripts() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return readdirSync(folder).flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const called = [...text.matchAll(/\bnpm run (?:--\S+ )*([\w:-]+)/g)].map(([, name]) => name);
    return called
      .filter((name) => scripts[name] === undefined)
      .map((name) => `.github/workflows/${file}: package.json has no script ${name}`);
  });
}

function actionlint() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), join(homedir(), 'go', 'bin')];
  return folders.map((one) => join(one, 'actionlint')).find((file) => existsSync(file));
}

const unknown = unknownScripts();
for (const line of unknown) process.stdout.write(`${line}\n`);
const lint = actionlint();
const linted = lint === undefined ? undefined : spawnSync(lint, { cwd: root, stdio: 'inherit' });
process.exitCode = unknown.length > 0 || (linted !== undefined && linted.status !== 0) ? 1 : 0;
