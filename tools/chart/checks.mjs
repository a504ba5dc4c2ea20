// Everything that is checked of the chart. Each check resolves to lines that say what is wrong; none: all is well.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { combinations, UNRESTRICTED } from './matrix.mjs';
import { writtenFiles } from './written.mjs';
import { faultsBetween } from './references.mjs';
import { renderAll, run } from './render.mjs';

/** Where the chart is; the checks take another folder to be shown what is wrong. */
export const chart = join(root, 'k8s', 'novacron');
const own = (...path) => join(root, 'tools', 'chart', ...path);
const read = (...path) => readFileSync(join(root, ...path), 'utf8');

const cases = (folder) => readdirSync(join(folder, 'ci')).map((file) => join(folder, 'ci', file));

/** What needs no program: written files are current, and versions agree. */
export function files() {
  const faults = [];
  for (const [path, text] of writtenFiles()) {
    const current = existsSync(join(root, path)) && read(path) === text;
    if (!current) faults.push(`${path} is not current: npm run chart -- write`);
  }
  const version = JSON.parse(read('package.json')).version;
  const app = /^appVersion: '?([^'\n]+)'?$/m.exec(read('k8s', 'novacron', 'Chart.yaml'))?.[1];
  if (app !== version) faults.push(`Chart.yaml: appVersion is ${app}, package.json says ${version}`);
  return faults;
}

export async function lint(folder = chart) {
  const args = cases(folder).map((file) => ['lint', folder, '--strict', '--quiet', '-f', file]);
  const results = await Promise.all(args.map((each) => run('helm', each)));
  return results.filter(({ code }) => code !== 0).map(({ output }) => output.trim());
}

export async function unitTests(folder = chart) {
  const { code, output } = await run('helm-unittest', ['--strict', '--color=false', folder]);
  return { faults: code === 0 ? [] : [output.trim()], told: /^Tests: .*$/m.exec(output)?.[0] ?? '' };
}

export async function conforms(documents) {
  const schemas = ['kinds', 'own-kinds'].flatMap((folder) => [
    '-schema-location',
    own(folder, '{{.ResourceKind}}{{.KindSuffix}}.json'),
  ]);
  const { code, output } = await run('kubeconform', ['-strict', ...schemas], documents.join('\n---\n'));
  return code === 0 ? [] : [output.trim()];
}

export async function restricted(documents) {
  const { code, output } = await run('podsecurity', UNRESTRICTED, documents.join('\n---\n'));
  return code === 0 ? [] : [output.trim()];
}

/** The chart over the matrix, checked by everything; {faults, told}. */
export async function matrix({ all }) {
  const chosen = combinations({ all });
  // Reads what the apps are built to: not there before a build, and nothing else here needs one.
  const { wrongEnvironments } = await import('./environment.mjs');
  const faultsOf = (objects) => [...faultsBetween(objects), ...wrongEnvironments(objects)];
  const { documents, faults } = await renderAll(chart, chosen, faultsOf);
  if (faults.length > 0) return { faults, told: '' };
  const found = (await Promise.all([conforms(documents), restricted(documents)])).flat();
  return { faults: found, told: `${chosen.length} combinations, ${documents.length} different objects` };
}
