// npm run cluster -- build|up|test|down
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPrograms, findTool, hasGo, missingPrograms } from '../go-programs.mjs';
import { handOver, phase, runMain } from '../progress.mjs';
import { nodeCommand, toolEnvironment } from '../toolchain.mjs';
import { down, home, kubeconfig, up } from './control-plane.mjs';

const usage = `usage: npm run cluster -- COMMAND
  build          build Kubernetes, kwok, etcd and helm from the Go module proxy, into .toolchain
  up             start a control plane with six simulated nodes on 127.0.0.1
  test [NAME]    install the chart on one of its own, scale, drain, upgrade, fail, roll back
  down           end the control plane, and remove its state
`;

const tests = join(dirname(fileURLToPath(import.meta.url)), 'test');

async function start() {
  if (missingPrograms('cluster').length > 0) await buildPrograms('cluster');
  await phase('control plane', up);
}

async function test([name]) {
  if (missingPrograms('cluster').length > 0 && !hasGo()) {
    process.stdout.write('cluster: skipped, because Kubernetes is built with Go: install Go 1.26 or newer\n');
    return 0;
  }
  await start();
  try {
    const files = name === undefined ? join(tests, '*.test.mjs') : join(tests, `${name}.test.mjs`);
    // One after the other, because all share two cores.
    return await handOver(
      nodeCommand,
      ['--test', '--test-concurrency=1', '--test-reporter=spec', files],
      toolEnvironment(),
    );
  } finally {
    await down();
  }
}

async function main([command, ...args]) {
  switch (command) {
    case 'build':
      await buildPrograms('cluster');
      return 0;
    case 'up':
      await start();
      process.stdout.write(`export KUBECONFIG=${kubeconfig} PATH=${dirname(findTool('kubectl'))}:$PATH\n`);
      return 0;
    case 'test':
      return test(args);
    case 'down':
      await down();
      rmSync(home, { recursive: true, force: true });
      return 0;
    default:
      process.stderr.write(usage);
      return command === '--help' ? 0 : 2;
  }
}

await runMain('cluster', main);
