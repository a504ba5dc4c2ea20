// npm test: real servers, every package's Jest, one total.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { handOver } from './progress.mjs';
import { nodeCommand, root, toolEnvironment, turbo } from './toolchain.mjs';

const home = join(root, '.novacron-test');
const results = join(home, 'results');
const testkit = join(root, 'packages', 'testkit', 'dist', 'cli.js');

function total() {
  const sum = { passed: 0, failed: 0 };
  for (const file of existsSync(results) ? readdirSync(results) : []) {
    const one = JSON.parse(readFileSync(join(results, file), 'utf8'));
    sum.passed += one.passed;
    sum.failed += one.failed;
  }
  return sum;
}

/** Runs all tests (`args` go to turbo, for instance --filter=@novacron/gateway); the exit code. */
export async function test(args) {
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  const env = toolEnvironment({ NOVACRON_TEST_RESULTS: results });
  const prepared = await handOver(nodeCommand, [testkit, 'start'], env);
  if (prepared !== 0) return prepared;
  const flags = [
    'run',
    'test',
    '--concurrency=2',
    '--continue=always',
    '--log-order=grouped',
    '--log-prefix=none',
  ];
  const code = await handOver(nodeCommand, [turbo, ...flags, ...args], env);
  await handOver(nodeCommand, [testkit, 'stop'], env);
  const { passed, failed } = total();
  // A test process that crashed wrote no result: it counts as one failure, never as none.
  const counted = code !== 0 && failed === 0 ? 1 : failed;
  process.stdout.write(`${passed} passed, ${counted} failed\n`);
  return counted > 0 ? 1 : code;
}
