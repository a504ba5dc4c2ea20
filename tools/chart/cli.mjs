// npm run chart -- install|check|write
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../progress.mjs';
import { root } from '../toolchain.mjs';
import { files, lint, matrix, unitTests } from './checks.mjs';
import { findTool, install } from './tools.mjs';
import { writtenFiles } from './written.mjs';

const usage = `usage: npm run chart -- COMMAND
  install         build helm, helm-unittest and kubeconform out of the Go module proxy, into .toolchain
  check [--all]   lint, unit tests, and the rendered chart against the schemas of Kubernetes;
                  --all: every combination of the matrix, not only every pair (so does CI=true)
  write           write the chart's README.md out of values.yaml, and its copies of infra/
`;

const PROGRAMS = ['helm', 'helm-unittest', 'kubeconform', 'podsecurity'];

async function check({ all }) {
  const missing = PROGRAMS.filter((name) => findTool(name) === undefined);
  const needed = (...names) => !names.some((name) => missing.includes(name));
  const told = [];
  const faults = files();
  if (needed('helm')) faults.push(...(await lint()));
  if (needed('helm-unittest')) {
    const tests = await unitTests();
    faults.push(...tests.faults);
    told.push(tests.told);
  }
  if (needed(...PROGRAMS)) {
    const rendered = await matrix({ all });
    faults.push(...rendered.faults);
    told.push(rendered.told);
  }
  for (const fault of faults) process.stdout.write(`chart: ${fault}\n`);
  if (missing.length > 0) told.push(`skipped what needs ${missing.join(', ')}: npm run chart -- install`);
  process.stdout.write(`chart: ${told.join('; ')}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function main([command, ...flags]) {
  switch (command) {
    case 'install':
      await install();
      return 0;
    case 'check':
      return check({ all: flags.includes('--all') || process.env.CI === 'true' });
    case 'write':
      for (const [path, text] of writtenFiles()) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), text);
      }
      return 0;
    default:
      process.stderr.write(usage);
      return command === '--help' ? 0 : 2;
  }
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    process.stderr.write(`chart: ${error instanceof Failure ? error.message : error.stack}\n`);
    process.exitCode = 1;
  },
);
