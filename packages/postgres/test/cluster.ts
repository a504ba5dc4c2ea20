import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, chownSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { DatabaseSettings, Role, ServerAddress } from '../src/settings.js';

// A private cluster of one primary and one streaming replica, which a test may stop, restart and promote.
// Postgres refuses to run as root: then it runs as the user that its package made.
const ROOT = userInfo().uid === 0;
const BIN = binaries();

class Server {
  constructor(
    readonly dir: string,
    readonly port: number,
  ) {}

  start(): void {
    run('pg_ctl', ['-D', this.dir, '-l', `${this.dir}.log`, '-w', '-t', '90', 'start']);
  }

  stop(mode: 'fast' | 'immediate' = 'fast'): void {
    run('pg_ctl', ['-D', this.dir, '-m', mode, '-w', '-t', '90', 'stop']);
  }

  promote(): void {
    run('pg_ctl', ['-D', this.dir, '-w', '-t', '90', 'promote']);
  }

  /** SIGSTOP or SIGCONT for the postmaster and all its children: a server that is there and does not answer. */
  freeze(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const postmaster = execFileSync('head', ['-1', join(this.dir, 'postmaster.pid')], {
      encoding: 'utf8',
    }).trim();
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', postmaster], { encoding: 'utf8' }).split(
      /\s+/,
    );
    for (const pid of [postmaster, ...children].filter(Boolean)) process.kill(Number(pid), signal);
  }
}

export interface Cluster {
  readonly primary: Server;
  readonly replica: Server;
  settings(role: Role, more?: Partial<DatabaseSettings>): DatabaseSettings;
  /** A superuser's connection, not yet connected. */
  admin(port?: number): pg.Client;
  destroy(): void;
}

/** Starts a primary, and a replica if asked, with schema `orchestrator` and its three roles. */
export async function startCluster(withReplica: boolean): Promise<Cluster> {
  const home = mkdtempSync(join(tmpdir(), 'novacron-pg-'));
  if (ROOT) chownSync(home, Number(execFileSync('id', ['-u', 'postgres'])), -1);
  const primary = new Server(join(home, 'primary'), await freePort());
  run('initdb', ['-D', primary.dir, '-U', 'admin', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync']);
  configure(primary, home);
  primary.start();
  const replica = new Server(join(home, 'replica'), await freePort());
  if (withReplica) startReplica(primary, replica, home);

  const admin = (port = primary.port): pg.Client =>
    new pg.Client({ host: '127.0.0.1', port, user: 'admin', database: 'postgres' });
  const client = admin();
  await client.connect();
  for (const role of ['owner', 'api', 'sys'])
    await client.query(`CREATE ROLE orchestrator_${role} LOGIN PASSWORD 'x'`);
  await client.query('CREATE SCHEMA orchestrator AUTHORIZATION orchestrator_owner');
  await client.end();

  const address = (server: Server): ServerAddress => ({ host: '127.0.0.1', port: server.port });
  return {
    primary,
    replica,
    admin,
    settings: (role, more = {}) => ({
      primary: address(primary),
      replicas: withReplica ? [address(replica)] : [],
      database: 'postgres',
      schema: 'orchestrator',
      role,
      password: 'x',
      ...more,
    }),
    destroy() {
      for (const server of [replica, primary]) {
        if (existsSync(join(server.dir, 'postmaster.pid'))) server.stop('immediate');
      }
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function startReplica(primary: Server, replica: Server, home: string): void {
  const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'admin'];
  run('pg_basebackup', [...from, '-D', replica.dir, '-R', '-X', 'stream', '-c', 'fast', '--no-sync']);
  configure(replica, home);
  replica.start();
}

function configure(server: Server, sockets: string): void {
  const lines = [
    `port=${server.port}`,
    "listen_addresses='127.0.0.1'",
    `unix_socket_directories='${sockets}'`,
    'fsync=off',
    'shared_buffers=32MB',
    'max_connections=120',
    'wal_receiver_status_interval=1s',
  ];
  appendFileSync(join(server.dir, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
}

function run(program: string, args: string[]): void {
  const command = [join(BIN, program), ...args];
  const [file, ...rest] = ROOT
    ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...command]
    : command;
  execFileSync(file as string, rest, { stdio: 'ignore', cwd: tmpdir() });
}

function binaries(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root)
    ? readdirSync(root)
        .map(Number)
        .filter((version) => version >= 15)
    : [];
  if (versions.length === 0)
    throw new Error('Postgres 15 or newer is not installed: apt-get install postgresql');
  return join(root, String(Math.max(...versions)), 'bin');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
