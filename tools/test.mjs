// npm test: real servers, every package's Jest, one total.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { handOver } from './progress.mjs';
import { nodeCommand, root, toolEnvironment, turbo } from './toolchain.mjs';

const home = join(root, '.novacron-test');
const results = join(home, 'results');
/** How many of the slowest files are shown. */
const SLOWEST = 10;
const testkit = join(root, 'packages', 'testkit', 'dist', 'cli.js');

/** What each package's reporter wrote, summed up. */
function total() {
  const sum = { passed: 0, failed: 0, files: [] };
  for (const file of existsSync(results) ? readdirSync(results) : []) {
    const one = JSON.parse(readFileSync(join(results, file), 'utf8'));
    sum.passed += one.passed;
    sum.failed += one.failed;
    sum.files.push(...one.files);
  }
  return sum;
}

/** The slowest test files, a line each. */
function slowest(files) {
  const sorted = files.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  return sorted.map(({ path, ms }) => `${(ms / 1000).toFixed(1).padStart(8)} s  ${path}\n`).join('');
}

/** Runs all tests (`args` go to turbo, for instance --filter=@novacron/gateway); the exit code. */
export async function test(args) {
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  const env = toolEnvironment({ NOVACRON_TEST_RESULTS: results });
  const prepared = await handOver(nodeCommand, [testkit, 'start'], env);
  if (prepared !== 0) return prepared;
  const flags = 'run test --concurrency=2 --continue=always --log-order=grouped --log-prefix=none'.split(' ');
  const code = await handOver(nodeCommand, [turbo, ...flags, ...args], env);
  await handOver(nodeCommand, [testkit, 'stop'], env);
  const { passed, failed, files } = total();
  // A test process that crashed wrote no result: it counts as one failure, never as none.
  const counted = code !== 0 && failed === 0 ? 1 : failed;
  if (files.length > 0) process.stdout.write(`slowest test files:\n${slowest(files)}`);
  process.stdout.write(`${passed} passed, ${counted} failed\n`);
  return counted > 0 ? 1 : code;
}
