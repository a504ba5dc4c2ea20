// The files of the chart that are written by a program: its README, and copies, since Helm reads its own folder alone.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { readme } from './readme.mjs';

const chart = join('k8s', 'novacron');
const rules = join('infra', 'prometheus', 'rules');
const read = (path) => readFileSync(join(root, path), 'utf8');

/** Path and text of each. */
export function writtenFiles() {
  const alerts = readdirSync(join(root, rules)).filter((file) => file.endsWith('.yml'));
  return new Map([
    [join(chart, 'README.md'), readme(read(join(chart, 'values.yaml')))],
    [join(chart, 'files', 'small.conf'), read(join('infra', 'postgres', 'small.conf'))],
    ...alerts.map((file) => [join(chart, 'files', 'rules', file), read(join(rules, file))]),
  ]);
}
