import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '../config.js';
import { StackError } from '../stack-error.js';
import { findPostgres, findProgram } from './programs.js';

const run = promisify(execFile);

interface Server {
  readonly title: string;
  readonly aptPackage: string;
  /** systemd unit that its package starts */
  readonly unit?: string;
  /** `qemu`: only the QEMU host needs it; `balancers`: only their tests need it */
  readonly need: 'always' | 'qemu' | 'balancers';
  installed(): boolean;
}

const qemuProgram = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';

const servers: readonly Server[] = [
  {
    title: 'PostgreSQL',
    aptPackage: 'postgresql',
    unit: 'postgresql',
    need: 'always',
    installed: () => !!findPostgres(),
  },
  {
    title: 'Redis',
    aptPackage: 'redis-server',
    unit: 'redis-server',
    need: 'always',
    installed: () => !!(findProgram('redis-server') ?? findProgram('valkey-server')),
  },
  {
    title: 'NATS',
    aptPackage: 'nats-server',
    unit: 'nats-server',
    need: 'always',
    installed: () => !!findProgram('nats-server'),
  },
  {
    title: 'QEMU',
    aptPackage: process.arch === 'arm64' ? 'qemu-system-arm' : 'qemu-system-x86',
    need: 'qemu',
    installed: () => !!findProgram(qemuProgram),
  },
  { title: 'qemu-img', aptPackage: 'qemu-utils', need: 'qemu', installed: () => !!findProgram('qemu-img') },
  {
    title: 'nginx',
    aptPackage: 'nginx',
    unit: 'nginx',
    need: 'balancers',
    installed: () => !!findProgram('nginx'),
  },
  {
    title: 'HAProxy',
    aptPackage: 'haproxy',
    unit: 'haproxy',
    need: 'balancers',
    installed: () => !!findProgram('haproxy'),
  },
  { title: 'openssl', aptPackage: 'openssl', need: 'balancers', installed: () => !!findProgram('openssl') },
];

/** The optional servers to install. */
export interface Wanted {
  readonly qemu: boolean;
  readonly balancers?: boolean;
}

/** Runs a step of the installation and shows its title. */
export type Phase = <T>(title: string, work: () => Promise<T>) => Promise<T>;

/** The titles of the missing servers with this need. */
export function missingServers(need: Server['need']): string[] {
  return servers.filter((server) => server.need === need && !server.installed()).map(({ title }) => title);
}

const policyFile = '/usr/sbin/policy-rc.d';
const clusterConf = '/etc/postgresql-common/createcluster.conf';

/** While this runs, newly installed packages do not start services and do not create a Postgres cluster. */
async function withoutServices<T>(work: () => Promise<T>): Promise<T> {
  const ours = !existsSync(policyFile);
  const restore = () => {
    if (ours) rmSync(policyFile, { force: true });
  };
  if (ours) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  process.once('exit', restore); // Ctrl-C in the middle must not leave the machine unable to start services
  if (!existsSync(clusterConf)) {
    mkdirSync('/etc/postgresql-common', { recursive: true });
    writeFileSync(
      clusterConf,
      '# written by NovaCron: it runs a private cluster of its own\ncreate_main_cluster = false\n',
    );
  }
  try {
    return await work();
  } finally {
    restore();
    process.removeListener('exit', restore);
  }
}

/** Runs apt-get. Resolves with the end of its output when it failed, else with undefined. */
export function aptGet(args: readonly string[], cwd = '/'): Promise<string | undefined> {
  const env = { ...inheritedEnvironment(), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const options = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Options::=--force-confold'];
  return new Promise((done) => {
    const child = spawn('apt-get', [...options, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => done(error.message));
    child.once('close', (code) =>
      done(code === 0 ? undefined : output.trim().split('\n').slice(-3).join(' | ')),
    );
  });
}

async function disableUnit(unit: string): Promise<void> {
  if (!findProgram('systemctl')) return;
  // Without a running systemd there is nothing to disable.
  await run('systemctl', ['disable', '--now', unit]).catch(() => undefined);
}

async function installWithApt(missing: readonly Server[], phase: Phase): Promise<void> {
  if (missing.length === 0) return;
  await phase('apt-get update', () => aptGet(['update', '-q']));
  const of = (need: Server['need']) => missing.filter((server) => server.need === need);
  const failure = await installPackages(of('always'), phase);
  if (failure) throw new StackError(failure, howToInstall(of('always')));
  // The stack runs without the optional packages; a missing one is a warning at the end.
  await installPackages(of('qemu'), phase);
  await installPackages(of('balancers'), phase);
  for (const { unit, installed } of missing) if (unit && installed()) await disableUnit(unit);
}

/** Resolves with the failure in one line, or undefined when everything is installed. */
async function installPackages(wanted: readonly Server[], phase: Phase): Promise<string | undefined> {
  if (wanted.length === 0) return undefined;
  const packages = wanted.map((server) => server.aptPackage);
  const title = `apt-get install ${packages.join(' ')}`;
  const failure = await phase(title, () =>
    withoutServices(() => aptGet(['install', '-y', '-q', '--no-install-recommends', ...packages])),
  );
  return failure && `${title} failed: ${failure}`;
}

function aptLine(packages: readonly string[]): string {
  return `Run: sudo apt-get install -y --no-install-recommends ${packages.join(' ')}   or use: docker compose up`;
}

function howToInstall(missing: readonly Server[]): string {
  if (findProgram('apt-get')) return aptLine(missing.map((server) => server.aptPackage));
  return `Install ${missing.map((server) => server.title).join(', ')} (Postgres 15+, Redis 7+ or Valkey 8+, nats-server 2.9.10+) and put them on PATH, or use: docker compose up`;
}

const oldestPostgres = 15;

async function checkPostgresVersion(): Promise<void> {
  const bin = findPostgres();
  if (!bin) return;
  const { stdout } = await run(join(bin, 'postgres'), ['--version']);
  const major = Number(/(\d+)/.exec(stdout)?.[1]);
  if (major < oldestPostgres) {
    throw new StackError(
      `Postgres ${major} in ${bin} is too old`,
      `Install ${oldestPostgres} or newer (apt.postgresql.org) and put it first on PATH, or use: docker compose up`,
    );
  }
}

const without = { qemu: 'zone local stays empty', balancers: 'the tests of the load balancers are skipped' };

/**
 * Installs the missing servers where that needs no question (apt, as root). Resolves with a warning line when an
 * optional server stays missing.
 * @throws StackError when a required server stays missing
 */
export async function ensureServers(phase: Phase, wanted: Wanted): Promise<string | undefined> {
  const lacking = () => servers.filter((s) => !s.installed() && (s.need === 'always' || wanted[s.need]));
  const missing = lacking();
  if (process.getuid?.() === 0 && findProgram('apt-get')) await installWithApt(missing, phase);
  const still = lacking();
  const names = (list: readonly Server[]) => list.map((server) => server.title).join(', ');
  const required = still.filter((server) => server.need === 'always');
  if (required.length > 0)
    throw new StackError(`${names(required)} not found on this machine`, howToInstall(still));
  await checkPostgresVersion();
  const warnings = (['qemu', 'balancers'] as const).flatMap((need) => {
    const absent = still.filter((server) => server.need === need);
    return absent.length === 0
      ? []
      : [`${names(absent)} not found: ${without[need]}. ${howToInstall(absent)}`];
  });
  return warnings.length === 0 ? undefined : warnings.join('\n');
}
