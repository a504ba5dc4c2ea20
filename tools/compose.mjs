// npm run compose: runs the installed Compose with this repository's files.
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { Failure, handOver } from './progress.mjs';
import { root, toolEnvironment } from './toolchain.mjs';

const usage = `usage: npm run compose -- COMMAND [arguments]
  up      build the images, start everything, wait until the API answers, print URL and token
  env     addresses and tokens, to eval
  test    the end-to-end tests of the local stack, against the containers (servers' ports appear on loopback)
  down    end it; with --volumes, remove ALL of its state
Any other command goes to docker compose as it is, for instance ps, or logs -f gateway-1.
`;

/** Compose uses the folder's name by default. */
const project =
  process.env.COMPOSE_PROJECT_NAME ||
  basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '');
const port = process.env.NOVACRON_HTTP_PORT || '8080';
const url = `http://127.0.0.1:${port}`;
const published = [
  `127.0.0.1:${process.env.NOVACRON_POSTGRES_PORT || '15432'}`,
  `127.0.0.1:${process.env.NOVACRON_NATS_PORT || '14222'}`,
];

/** The end-to-end tests that need neither pid files nor a QEMU host. */
const TESTS = ['test/e2e/first-session.test.ts', 'test/e2e/creates-survive-kills.test.ts'];

function works(program, args) {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function findCompose() {
  if (works('docker', ['compose', 'version'])) return ['docker', 'compose'];
  if (works('docker-compose', ['version'])) return ['docker-compose'];
  throw new Failure('docker compose is missing. Install Docker with Compose v2, or docker-compose 1.29');
}

function files(...more) {
  return ['docker-compose.yml', ...more].flatMap((file) => ['-f', join(root, file)]);
}

function outputOf([program, ...first], args) {
  const { status, stdout, stderr } = spawnSync(program, [...first, ...args], {
    cwd: root,
    encoding: 'utf8',
    env: environment(),
  });
  if (status !== 0) throw new Failure(stderr.trim().split('\n').at(-1) || `${program} ended with ${status}`);
  return stdout;
}

function environment() {
  return { ...toolEnvironment(), COMPOSE_PROJECT_NAME: project };
}

/** Runs the container that has the secrets. Prints addresses of servers only if they are published. */
function userEnvironment(compose, ...addresses) {
  const program = ['node', 'dist/compose/init.js', 'env', url, ...addresses];
  return outputOf(compose, [...files(), 'run', '--rm', '-T', 'init', ...program]);
}

async function run([program, ...first], args) {
  return handOver(program, [...first, ...args], environment());
}

async function untilReady() {
  for (const until = Date.now() + 180_000; Date.now() < until;) {
    const ready = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(3_000) }).catch(() => undefined);
    if (ready?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Failure(`${url}/ready does not answer. Look at: npm run compose -- ps`);
}

async function up(compose, args) {
  const code = await run(compose, [...files(), 'up', '-d', ...(args.length > 0 ? args : ['--build'])]);
  if (code !== 0) return code;
  await untilReady();
  process.stdout.write(`NovaCron is ready at ${url}. Tokens: eval "$(npm run -s compose -- env)"\n`);
  return 0;
}

function variables(text) {
  return Object.fromEntries(
    [...text.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]),
  );
}

async function test(compose, args) {
  const all = files('infra/compose/published.yml');
  const code = await run(compose, [...all, 'up', '-d']);
  if (code !== 0) return code;
  await untilReady();
  const given = variables(userEnvironment(compose, ...published));
  const env = { ...environment(), ...given, NOVACRON_COMPOSE_PROJECT: project };
  const jest = ['--filter', '@novacron/acceptance', 'test', '--runInBand'];
  return handOver('pnpm', [...jest, ...(args.length > 0 ? args : TESTS)], env);
}

/** Runs one command and returns its exit code. */
export async function compose([command, ...args]) {
  if (command === undefined || command === '--help') {
    process.stdout.write(usage);
    return command === undefined ? 2 : 0;
  }
  const found = findCompose();
  if (command === 'up') return up(found, args);
  if (command === 'test') return test(found, args);
  if (command === 'env') {
    process.stdout.write(userEnvironment(found));
    return 0;
  }
  return run(found, [...files(), command, ...args]);
}
