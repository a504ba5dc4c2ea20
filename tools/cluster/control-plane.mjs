// A real Kubernetes control plane on 127.0.0.1, with nodes simulated by kwok. Its state is in .novacron-cluster/.
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTool } from '../go-programs.mjs';
import { Failure } from '../progress.mjs';
import { nodeCommand, root } from '../toolchain.mjs';
import { kubectl, until } from './kube.mjs';
import { fleet } from './objects.mjs';

export const home = join(root, '.novacron-cluster');
export const kubeconfig = join(home, 'admin.conf');
/** The load that the metrics APIs report: see metrics-api.mjs. */
export const loadFile = join(home, 'load.json');

const here = dirname(fileURLToPath(import.meta.url));
const NODES = 6;
/** In the order of their end: dependent programs first. */
const PROCESSES = 'metrics-api kwok kube-scheduler kube-controller-manager kube-apiserver etcd'.split(' ');
const asAdmin = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
  (flag) => `--${flag}=${kubeconfig}`,
);

const freePort = () =>
  new Promise((done, failed) => {
    const server = createServer().once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** Starts a program in the background; its pid and its log are kept under its name. */
function start(name, program, args, env = {}) {
  const log = openSync(join(home, 'log', `${name}.log`), 'a');
  const child = spawn(program, args, {
    cwd: home,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  child.unref();
  writeFileSync(join(home, 'pid', name), String(child.pid));
}

/** Writes the administrator's kubeconfig, which all processes use, and the API server's file of tokens. */
function writeKubeconfig(port) {
  const token = randomBytes(16).toString('hex');
  const cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  writeFileSync(join(home, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
}

function serviceAccountKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(home, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(home, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
}

function startApi([etcd, peers, api]) {
  const store = `http://127.0.0.1:${etcd}`;
  start('etcd', findTool('etcd'), [
    '--data-dir=etcd',
    `--listen-client-urls=${store}`,
    `--advertise-client-urls=${store}`,
    `--listen-peer-urls=http://127.0.0.1:${peers}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peers}`,
    `--initial-cluster=default=http://127.0.0.1:${peers}`,
    '--unsafe-no-fsync',
  ]);
  start('kube-apiserver', findTool('kube-apiserver'), [
    `--etcd-servers=${store}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${api}`,
    '--cert-dir=certificates',
    // Endpoints must not contain a loopback address.
    '--advertise-address=192.0.2.1',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--token-auth-file=tokens.csv',
    // The chart makes no roles, so the tests need no authorization.
    '--authorization-mode=AlwaysAllow',
    '--allow-privileged=true',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    '--service-account-signing-key-file=sa.key',
    '--service-account-key-file=sa.pub',
  ]);
}

/** Starts the processes that need the API server when they start. */
function startRest([controllers, scheduler, kwok, metrics]) {
  start('kube-controller-manager', findTool('kube-controller-manager'), [
    ...asAdmin,
    '--bind-address=127.0.0.1',
    `--secure-port=${controllers}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    '--service-account-private-key-file=sa.key',
    '--enable-hostpath-provisioner=true',
  ]);
  start('kube-scheduler', findTool('kube-scheduler'), [
    ...asAdmin,
    '--bind-address=127.0.0.1',
    `--secure-port=${scheduler}`,
    '--leader-elect=false',
  ]);
  start('kwok', findTool('kwok'), [
    asAdmin[0],
    '--manage-all-nodes=false',
    '--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake',
    '--node-ip=127.0.0.1',
    `--node-port=${kwok}`,
    `--server-address=127.0.0.1:${kwok}`,
    '--cidr=10.244.0.1/16',
    '--node-lease-duration-seconds=40',
    `--config=${join(here, 'stages.yaml')}`,
  ]);
  start('metrics-api', nodeCommand, [join(here, 'metrics-api.mjs')], {
    METRICS_PORT: String(metrics),
    METRICS_LOAD: loadFile,
    METRICS_CERTIFICATE: join(home, 'certificates', 'apiserver.crt'),
    METRICS_KEY: join(home, 'certificates', 'apiserver.key'),
  });
}

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Starts everything, and resolves when the nodes are ready. It first ends an earlier cluster. @throws Failure */
export async function up() {
  await down();
  rmSync(home, { recursive: true, force: true });
  for (const folder of ['log', 'pid']) mkdirSync(join(home, folder), { recursive: true });
  writeFileSync(loadFile, '{}');
  const ports = await Promise.all(Array.from({ length: 7 }, freePort));
  writeKubeconfig(ports[2]);
  serviceAccountKeys();
  startApi(ports);
  const apiReady = async () => (await kubectl(['get', '--raw', '/readyz'])).code === 0;
  if (!(await until(apiReady, 300_000))) {
    throw new Failure(`the API server is not ready: see ${join(home, 'log', 'kube-apiserver.log')}`);
  }
  startRest(ports.slice(3));
  const objects = { apiVersion: 'v1', kind: 'List', items: fleet({ nodes: NODES, metricsPort: ports[6] }) };
  const applied = await kubectl(['apply', '-f', '-'], JSON.stringify(objects));
  if (applied.code !== 0) throw new Failure(`the nodes were refused: ${applied.output.trim()}`);
  const ready = async () => {
    const { output } = await kubectl(['get', 'nodes', '--no-headers']);
    return (output.match(/ Ready /g) ?? []).length === NODES;
  };
  if (!(await until(ready, 120_000))) throw new Failure(`the nodes are not ready: see ${join(home, 'log')}`);
}

/** Ends the processes of `up` by their pids. */
export async function down() {
  const folder = join(home, 'pid');
  if (!existsSync(folder)) return;
  for (const name of PROCESSES.filter((one) => readdirSync(folder).includes(one))) {
    const pid = Number(readFileSync(join(folder, name), 'utf8'));
    if (alive(pid)) process.kill(pid, 'SIGTERM');
    if (!(await until(() => !alive(pid), 30_000)) && alive(pid)) process.kill(pid, 'SIGKILL');
    rmSync(join(folder, name), { force: true });
  }
}
