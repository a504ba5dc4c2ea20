// Every check of the chart. Each resolves to lines that say what is wrong; an empty list means that the check passed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { combinations, UNRESTRICTED } from './matrix.mjs';
import { faultsBetween } from './references.mjs';
import { renderAll, run } from './render.mjs';

/** The chart's folder. The tests pass a spoiled copy of it instead. */
export const chart = join(root, 'k8s', 'novacron');
const own = (...path) => join(root, 'tools', 'chart', ...path);
const read = (...path) => readFileSync(join(root, ...path), 'utf8');

const cases = (folder) => readdirSync(join(folder, 'ci')).map((file) => join(folder, 'ci', file));

/** The chart's copies of files in infra/, by path: Helm reads nothing outside its own folder. */
export function copiedFiles() {
  const rules = readdirSync(join(root, 'infra', 'prometheus', 'rules')).filter((file) =>
    file.endsWith('.yml'),
  );
  const copies = [
    ['small.conf', 'postgres/small.conf'],
    ...rules.map((file) => [`rules/${file}`, `prometheus/rules/${file}`]),
  ];
  return copies.map(([to, from]) => [join('k8s', 'novacron', 'files', to), read('infra', from)]);
}

/** Checks that need no program: copied files are current, and the versions agree. */
export function files() {
  const faults = [];
  for (const [path, text] of copiedFiles()) {
    const current = existsSync(join(root, path)) && read(path) === text;
    if (!current) faults.push(`${path} is not current: npm run chart -- write`);
  }
  const version = JSON.parse(read('package.json')).version;
  const app = /^appVersion: '?([^'\n]+)'?$/m.exec(read('k8s', 'novacron', 'Chart.yaml'))?.[1];
  if (app !== version) faults.push(`Chart.yaml: appVersion is ${app}, package.json says ${version}`);
  return faults;
}

/** Runs helm-docs on a chart; with `--dry-run` it prints README.md instead of writing it. */
export const helmDocs = (folder, ...flags) =>
  run('helm-docs', ['-c', folder, '-s', 'file', '--ignore-non-descriptions', '-l', 'error', ...flags]);

export async function readme(folder = chart) {
  const { code, output } = await helmDocs(folder, '--dry-run');
  if (code !== 0) return [output.trim()];
  const current = output === readFileSync(join(folder, 'README.md'), 'utf8');
  return current ? [] : ['the README.md of the chart is not current: npm run chart -- write'];
}

export async function lint(folder = chart) {
  const args = cases(folder).map((file) => ['lint', folder, '--strict', '--quiet', '-f', file]);
  const results = await Promise.all(args.map((each) => run('helm', each)));
  return results.filter(({ code }) => code !== 0).map(({ output }) => output.trim());
}

export async function unitTests(folder = chart) {
  const { code, output } = await run('helm-unittest', ['--strict', '--color=false', folder]);
  return { faults: code === 0 ? [] : [output.trim()], summary: /^Tests: .*$/m.exec(output)?.[0] ?? '' };
}

/** Compares documents with the strict schemas of Kubernetes and of the custom resources. */
export async function conforms(documents) {
  const schemas = ['-schema-location', own('kinds', '{{.ResourceKind}}{{.KindSuffix}}.json')];
  const { code, output } = await run('kubeconform', ['-strict', ...schemas], documents.join('\n---\n'));
  return code === 0 ? [] : [output.trim()];
}

/** Compares pods with the restricted Pod Security Standard. Pods that are exempt must fail it, or need no exemption. */
export async function restricted(documents) {
  const args = ['-schema-location', own('restricted.json'), '-output', 'json', '-verbose'];
  const { output } = await run('kubeconform', args, documents.join('\n---\n'));
  return JSON.parse(output).resources.flatMap(({ kind, name, status, msg }) => {
    const exempt = UNRESTRICTED.includes(`${kind}/${name}`);
    if (status === 'statusValid')
      return exempt ? [`${kind}/${name} is restricted and needs no exemption`] : [];
    return exempt ? [] : [`${kind}/${name} is not restricted: ${msg}`];
  });
}

/** Renders the chart over the matrix and runs every check on the result; {faults, summary}. */
export async function matrix({ all }) {
  const chosen = combinations({ all });
  // environment.mjs reads the built apps, which no other check needs.
  const { wrongEnvironments } = await import('./environment.mjs');
  const faultsOf = (objects) => [...faultsBetween(objects), ...wrongEnvironments(objects)];
  const { documents, faults } = await renderAll(chart, chosen, faultsOf);
  if (faults.length > 0) return { faults, summary: '' };
  const found = (await Promise.all([conforms(documents), restricted(documents)])).flat();
  return { faults: found, summary: `${chosen.length} combinations, ${documents.length} different objects` };
}
