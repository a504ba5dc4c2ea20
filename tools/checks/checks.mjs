// Every check of `npm run check`: its name, its command, and a hint for its failure.
import { join } from 'node:path';
import { nodeCommand, root, turbo } from '../toolchain.mjs';

const tool = (...path) => join(root, 'node_modules', ...path);
const SOURCES = ['apps', 'packages', 'acceptance'];
const own = (name) => join(root, 'tools', 'checks', name);

/** `--concurrency=1` would be slower on two cores. More would slow down the rest of the machine. */
const typecheck = 'run typecheck --concurrency=2 --continue=always --output-logs=errors-only'.split(' ');

export const CHECKS = [
  { name: 'types', args: [turbo, ...typecheck], hint: 'tsc’s messages are above' },
  {
    name: 'lint',
    args: [tool('oxlint', 'bin', 'oxlint'), '--format=unix'],
    hint: 'rules and exceptions: .oxlintrc.json',
  },
  {
    name: 'format',
    args: [tool('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level=warn', '.'],
    hint: 'node_modules/.bin/prettier --write FILES',
  },
  {
    name: 'boundaries',
    args: [tool('dependency-cruiser', 'bin', 'dependency-cruiser.mjs'), '--output-type=err-long', ...SOURCES],
    hint: 'who may import what: .dependency-cruiser.mjs',
  },
  {
    name: 'dead-code',
    args: [
      tool('knip', 'bin', 'knip.js'),
      '--tsConfig=tsconfig.build.json',
      '--no-progress',
      '--no-config-hints',
    ],
    hint: 'delete unused code; entry points: knip.json',
  },
  { name: 'generated', args: [own('check-generated.mjs')], hint: 'pnpm -r run generate, then commit' },
  {
    name: 'rules',
    args: [own('check-lint-rules.mjs')],
    hint: 'the rules: tools/checks/lint-rules.mjs',
    tells: true,
  },
  {
    name: 'chart',
    args: [join(root, 'tools', 'chart', 'cli.mjs'), 'check'],
    hint: 'each of them alone: npm run chart -- check',
    tells: true,
  },
  {
    name: 'observe',
    args: [own('check-observability.mjs')],
    tells: true,
    hint: 'rules, dashboards, runbooks: docs/observability.md',
  },
  { name: 'workflows', args: [own('check-workflows.mjs')], hint: 'the errors are above' },
  {
    name: 'checks',
    args: ['--test', '--test-reporter=dot', join(root, 'tools', 'checks') + '/*.test.mjs'],
    hint: 'a check no longer finds the errors that it is meant to find',
  },
].map((check) => ({ ...check, command: nodeCommand }));
