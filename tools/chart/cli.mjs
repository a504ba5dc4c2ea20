// npm run chart -- install|check|write
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildPrograms, missingPrograms } from '../go-programs.mjs';
import { Failure, runMain } from '../progress.mjs';
import { root } from '../toolchain.mjs';
import { chart, copiedFiles, files, helmDocs, lint, matrix, readme, unitTests } from './checks.mjs';

const usage = `usage: npm run chart -- COMMAND
  install         build helm, helm-docs, helm-unittest and kubeconform from the Go module proxy, into .toolchain
  check [--all]   lint, unit tests, and the rendered chart against the schemas of Kubernetes;
                  --all: every combination of the matrix, not only every pair (so does CI=true)
  write           write the chart's README.md from values.yaml (with helm-docs), and its copies of infra/
`;

async function check({ all }) {
  const missing = missingPrograms('chart');
  const needed = (...names) => !names.some((name) => missing.includes(name));
  const summaries = [];
  const faults = files();
  if (needed('helm-docs')) faults.push(...(await readme()));
  if (needed('helm')) faults.push(...(await lint()));
  if (needed('helm-unittest')) {
    const tests = await unitTests();
    faults.push(...tests.faults);
    summaries.push(tests.summary);
  }
  if (needed('helm', 'kubeconform')) {
    const rendered = await matrix({ all });
    faults.push(...rendered.faults);
    summaries.push(rendered.summary);
  }
  for (const fault of faults) process.stdout.write(`chart: ${fault}\n`);
  if (missing.length > 0)
    summaries.push(`skipped the checks that need ${missing.join(', ')}: npm run chart -- install`);
  process.stdout.write(`chart: ${summaries.join('; ')}\n`);
  return faults.length === 0 ? 0 : 1;
}

async function write() {
  for (const [path, text] of copiedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  if (missingPrograms('chart').includes('helm-docs'))
    throw new Failure('helm-docs is missing: npm run chart -- install');
  const { code, output } = await helmDocs(chart);
  process.stdout.write(output);
  return code;
}

async function main([command, ...flags]) {
  switch (command) {
    case 'install':
      await buildPrograms('chart');
      return 0;
    case 'check':
      return check({ all: flags.includes('--all') || process.env.CI === 'true' });
    case 'write':
      return write();
    default:
      process.stderr.write(usage);
      return command === '--help' ? 0 : 2;
  }
}

await runMain('chart', main);
