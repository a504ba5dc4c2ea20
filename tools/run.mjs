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
  check   types, lint, format, walls, dead code    npm run check
Each command has --help.
`;

const stack = join(root, 'packages', 'local-stack', 'dist', 'cli.js');

const benchCheck = join(root, 'packages', 'bench', 'dist', 'check', 'cli.js');

const running = ['./apps/*', '@novacron/local-stack'];
const needs = {
  start: running,
  stack: running,
  host: running,
  bench: [...running, '@novacron/bench'],
  load: [...running, '@novacron/bench'],
  'bench:check': [...running, '@novacron/bench'],
  'bench:baseline': [...running, '@novacron/bench'],
  fuzz: [...running, '@novacron/testkit'],
  history: [...running, '@novacron/history-checker'],
  chart: running,
  // The chart's matrix reads the built apps.
  cluster: running,
};

function program(command, args) {
  const programs = {
    start: [nodeCommand, [stack, 'start', ...args]],
    stack: [nodeCommand, [stack, ...args]],
    host: [nodeCommand, [stack, 'host', ...args]],
    bench: [nodeCommand, [join(root, 'packages', 'bench', 'dist', 'cli.js'), ...args]],
    load: [nodeCommand, [join(root, 'packages', 'bench', 'dist', 'load', 'cli.js'), ...args]],
    'bench:check': [nodeCommand, [benchCheck, ...args]],
    'bench:baseline': [nodeCommand, [benchCheck, '--write', ...args]],
    fuzz: [nodeCommand, [join(root, 'packages', 'testkit', 'dist', 'fuzz', 'cli.js'), ...args]],
    history: [nodeCommand, [join(root, 'packages', 'history-checker', 'dist', 'cli.js'), ...args]],
    chart: [nodeCommand, [join(root, 'tools', 'chart', 'cli.mjs'), ...args]],
    cluster: [nodeCommand, [join(root, 'tools', 'cluster', 'cli.mjs'), ...args]],
    check: [nodeCommand, [join(root, 'tools', 'checks', 'check.mjs'), ...args]],
  };
  return programs[command];
}

async function main([command, ...args]) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new Failure(`Node ${process.versions.node} is too old. Install Node 20.19 or newer`);
  }
  if (command === 'test') {
    // With a filter turbo builds the packages of the chosen tests. All tests need the servers.
    await prepare(args.some((arg) => arg.startsWith('--filter')) ? ['@novacron/testkit'] : []);
    return test(args);
  }
  if (command === 'compose') {
    // Containers build the images. Only the tests run here.
    if (args[0] === 'test') await prepare(['@novacron/testkit']);
    return compose(args);
  }
  const found = program(command, args);
  if (!found) {
    process.stderr.write(usage);
    return command === undefined || command === '--help' ? 0 : 2;
  }
  // Status, stop and help must not wait for a build.
  const asksForHelp = args.some((arg) => arg === '--help' || arg === '-h');
  const isBuilt = existsSync(found[1][0]) && existsSync(nodeCommand);
  if (asksForHelp && !isBuilt) {
    process.stdout.write(
      `${usage}${command} must be built before it can list its options: run it without --help first.\n`,
    );
    return 0;
  }
  if (!(isBuilt && (asksForHelp || command === 'stack'))) await prepare(needs[command]);
  // The duration that `npm start` prints counts from here, including toolchain, dependencies and build.
  const startedAt = String(Math.round(performance.timeOrigin));
  return handOver(found[0], found[1], toolEnvironment({ NOVACRON_COMMAND_STARTED_AT: startedAt }));
}

await runMain('novacron', main);
