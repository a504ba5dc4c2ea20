#!/usr/bin/env node
// The entry of every npm script: prepares the machine, then runs the program of the command.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { compose } from './compose.mjs';
import { Failure, handOver, runMain } from './progress.mjs';
import { test } from './test.mjs';
import { nodeCommand, prepare, root, toolEnvironment } from './toolchain.mjs';

const usage = `usage: node tools/run.mjs COMMAND [arguments]
  start   bring the whole system up               npm start
  test    run every test                          npm test
  stack   status, stop, logs NAME, reset, ...     npm run stack -- status
  host    join a host: host join NAME             npm run host -- join NAME
  compose the same in containers                  npm run compose -- up
  bench   the benchmarks                          npm run bench
  bench:check      compare with the baseline    npm run bench:check
  bench:baseline   write the baseline           npm run bench:baseline
  load    the guide's load scenario               npm run load
  fuzz    send generated requests                 npm run fuzz
  history check reads during faults               npm run history
  chart   the Helm chart: install, check          npm run chart -- check
  cluster a real control plane for the chart      npm run cluster -- test
  check   types, lint, format, boundaries, …      npm run check
Each command has --help.
`;

const dist = (name, ...path) => join(root, 'packages', name, 'dist', ...path);
const running = ['./apps/*', '@novacron/local-stack'];
const withBench = [...running, '@novacron/bench'];

/** Each command's program with its first arguments, and the packages that it needs; by default all. */
const PROGRAMS = {
  start: [[dist('local-stack', 'cli.js'), 'start'], running],
  stack: [[dist('local-stack', 'cli.js')], running],
  host: [[dist('local-stack', 'cli.js'), 'host'], running],
  bench: [[dist('bench', 'cli.js')], withBench],
  load: [[dist('bench', 'load', 'cli.js')], withBench],
  'bench:check': [[dist('bench', 'check', 'cli.js')], withBench],
  'bench:baseline': [[dist('bench', 'check', 'cli.js'), '--write'], withBench],
  fuzz: [[dist('testkit', 'fuzz', 'cli.js')], [...running, '@novacron/testkit']],
  history: [[dist('history-checker', 'cli.js')], [...running, '@novacron/history-checker']],
  // The chart's matrix reads the built apps.
  chart: [[join(root, 'tools', 'chart', 'cli.mjs')], running],
  cluster: [[join(root, 'tools', 'cluster', 'cli.mjs')], running],
  check: [[join(root, 'tools', 'checks', 'check.mjs')]],
};

async function main([command, ...args]) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Failure(`Node ${process.versions.node} is too old. Install Node 20.19 or newer`);
  }
  if (command === 'test') {
    // With a filter turbo builds the packages of the chosen tests. All tests need the servers, and may start any app.
    await prepare(args.some((arg) => arg.startsWith('--filter')) ? ['@novacron/testkit', './apps/*'] : []);
    return test(args);
  }
  if (command === 'compose') {
    // Containers build the images. Only the tests run here.
    if (args[0] === 'test') await prepare(['@novacron/testkit']);
    return compose(args);
  }
  const [program, needs] = PROGRAMS[command] ?? [];
  if (!program) {
    process.stderr.write(usage);
    return command === undefined || command === '--help' ? 0 : 2;
  }
  // Status, stop and help must not wait for a build.
  const asksForHelp = args.some((arg) => arg === '--help' || arg === '-h');
  const isBuilt = existsSync(program[0]) && existsSync(nodeCommand);
  if (asksForHelp && !isBuilt) {
    process.stdout.write(
      `${usage}${command} must be built before it can list its options: run it without --help first.\n`,
    );
    return 0;
  }
  if (!(isBuilt && (asksForHelp || command === 'stack'))) await prepare(needs);
  // The duration that `npm start` prints counts from here, including toolchain, dependencies and build.
  const startedAt = String(Math.round(performance.timeOrigin));
  return handOver(
    nodeCommand,
    [...program, ...args],
    toolEnvironment({ NOVACRON_COMMAND_STARTED_AT: startedAt }),
  );
}

await runMain('novacron', main);
