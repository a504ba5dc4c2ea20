import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newRolePasswords } from '@novacron/local-stack/home/secrets';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import {
  asAdmin,
  copyDatabase,
  dropDatabase,
  ensureDatabase,
  ensureRoles,
} from '@novacron/local-stack/servers/postgres-admin';
import {
  postgresProgram,
  type PostgresOptions,
  preparePrimary,
  prepareReplica,
  removePostgres,
  type ReplicaOptions,
} from '@novacron/local-stack/servers/postgres-server';
import {
  delayReplay,
  pauseReplay,
  promoteStandby,
  resumeReplay,
} from '@novacron/local-stack/servers/postgres-standby';
import { withFileLock } from '@novacron/local-stack/supervisor/file-lock';
import {
  endProcess,
  livePid,
  type Program,
  startProgram,
  waitUntil,
} from '@novacron/local-stack/supervisor/processes';
import type { RolePasswords } from '@novacron/provisioning/postgres-roles';
import { makerIsGone, testHome } from './test-home.js';

interface ClusterFile {
  readonly port: number;
  readonly replicaPort: number;
  /** port of a second replica, which the shared cluster does not have */
  readonly replica2Port?: number;
  readonly adminPassword: string;
  readonly replicationPassword: string;
  readonly roles: RolePasswords;
}

/** The names of a test cluster's servers. */
export type ReplicaName = 'replica' | 'replica-2';
export type ServerName = 'primary' | ReplicaName;

export interface ClusterOptions {
  readonly durable: boolean;
  readonly replicas: number;
}

const template = 'novacron_template';
const maxConnections = 600;

/** A Postgres primary with its replicas. Test files that use the same directory share it. */
export class TestCluster {
  private constructor(
    readonly dir: string,
    readonly durable: boolean,
    readonly file: ClusterFile,
  ) {}

  /** The running cluster in `dir`. Starts it unless another test process has started it. */
  static async open(dir: string, options: ClusterOptions): Promise<TestCluster> {
    mkdirSync(dir, { recursive: true, mode: 0o711 });
    return withFileLock(join(dir, 'lock'), 120_000, async () => {
      const cluster = new TestCluster(dir, options.durable, await clusterFile(dir));
      await cluster.ensurePrimary();
      await Promise.all(replicaNames(options.replicas).map((name) => cluster.ensureReplica(name)));
      return cluster;
    });
  }

  /** The cluster that all test files share, in the test home. It is not durable. */
  static shared(options: { replica: boolean }): Promise<TestCluster> {
    const replicas = options.replica ? 1 : 0;
    return TestCluster.open(join(testHome(), 'postgres'), { replicas, durable: false });
  }

  /** The shared cluster when its primary runs. Starts nothing. */
  static async sharedIfRunning(): Promise<TestCluster | undefined> {
    const dir = join(testHome(), 'postgres');
    if (!existsSync(join(dir, 'cluster.json'))) return undefined;
    const cluster = new TestCluster(dir, false, await clusterFile(dir));
    const { primary } = cluster;
    return livePid(cluster.pidFile(primary), postgresProgram(primary).marker) ? cluster : undefined;
  }

  get primary(): PostgresOptions {
    const { port, adminPassword } = this.file;
    const { durable } = this;
    return {
      name: 'postgres-primary',
      dir: join(this.dir, 'primary'),
      port,
      adminPassword,
      durable,
      maxConnections,
    };
  }

  get replica(): ReplicaOptions {
    return this.replicaOptions('replica');
  }

  replicaOptions(which: ReplicaName): ReplicaOptions {
    const { port, replicationPassword } = this.file;
    const number = which === 'replica' ? 1 : 2;
    const own = {
      name: `postgres-replica-${number}`,
      dir: join(this.dir, which),
      port: this.replicaPort(which),
      slot: `replica_${number}`,
    };
    return { ...this.primary, ...own, primaryPort: port, replicationPassword };
  }

  replicaPort(which: ReplicaName): number {
    const port = which === 'replica' ? this.file.replicaPort : this.file.replica2Port;
    if (port === undefined) throw new Error('this cluster has no second replica');
    return port;
  }

  private options(which: ServerName): PostgresOptions {
    return which === 'primary' ? this.primary : this.replicaOptions(which);
  }

  /** Makes a replica show every commit `ms` later, or at once for `null`. */
  delay(which: ReplicaName, ms: number | null): Promise<void> {
    return delayReplay(this.replicaOptions(which), ms);
  }

  /** Pauses replay on a replica until resume(). */
  pause(which: ReplicaName): Promise<void> {
    return pauseReplay(this.replicaOptions(which));
  }

  resume(which: ReplicaName): Promise<void> {
    return resumeReplay(this.replicaOptions(which));
  }

  /** Makes a replica a primary. The old primary must be ended first. The other replica still follows the old primary. */
  promote(which: ReplicaName): Promise<void> {
    return promoteStandby(this.replicaOptions(which));
  }

  private async ensurePrimary(): Promise<void> {
    if (livePid(this.pidFile(this.primary), postgresProgram(this.primary).marker)) return;
    await preparePrimary(this.primary);
    await this.startServer(postgresProgram(this.primary));
    await ensureRoles(this.file, this.file.roles, this.file.replicationPassword);
    await ensureDatabase(this.file, template);
    await this.dropAbandonedDatabases();
  }

  private async ensureReplica(which: ReplicaName): Promise<void> {
    const options = this.replicaOptions(which);
    if (livePid(this.pidFile(options), postgresProgram(options).marker)) return;
    await prepareReplica(options);
    await this.startServer(postgresProgram(options));
  }

  private pidFile(options: PostgresOptions): string {
    return join(this.dir, `${options.name}.pid`);
  }

  private async startServer(program: Program): Promise<void> {
    const log = join(this.dir, `${program.name}.log`);
    const child = startProgram(program, log, join(this.dir, `${program.name}.pid`));
    child.unref();
    if (
      await waitUntil(
        () => program.ready(),
        60_000,
        () => child.exitCode !== null,
      )
    )
      return;
    throw new Error(`${program.name} did not start: ${readFileSync(log, 'utf8').slice(-2000)}`);
  }

  private async dropAbandonedDatabases(): Promise<void> {
    const { rows } = await asAdmin(this.file, 'postgres', (client) =>
      client.query<{ datname: string }>(`SELECT datname FROM pg_database WHERE datname LIKE 't\\_%'`),
    );
    for (const { datname } of rows) {
      if (makerIsGone(Number(datname.split('_')[1]))) await dropDatabase(this.file, datname);
    }
  }

  /** Restarts a server that end() or stop() ended, on the same port. */
  async restart(which: ServerName): Promise<void> {
    await (which === 'primary' ? this.ensurePrimary() : this.ensureReplica(which));
  }

  /** Ends one server: in order, or with SIGKILL as a crash would. */
  async end(which: ServerName, how: 'stop' | 'kill' = 'stop'): Promise<void> {
    const options = this.options(which);
    const pid = livePid(this.pidFile(options), postgresProgram(options).marker);
    if (pid === undefined) return;
    if (how === 'kill') process.kill(pid, 'SIGKILL');
    await endProcess(pid, { signal: 'SIGINT', graceMs: 15_000, pidFile: this.pidFile(options) });
  }

  /** Creates a database with the schemas and grants of all services. @returns its name */
  async newDatabase(options: { replicas: number }): Promise<string> {
    const name = `t_${process.pid}_${randomBytes(5).toString('hex')}`;
    await copyDatabase(this.file, template, name);
    await Promise.all(replicaNames(options.replicas).map((replica) => this.onReplica(replica, name)));
    return name;
  }

  private async onReplica(which: ReplicaName, database: string): Promise<void> {
    const replica = this.replicaOptions(which);
    const there = () => asAdmin(replica, database, () => Promise.resolve(true)).catch(() => false); // not replayed yet
    if (!(await waitUntil(there, 20_000))) throw new Error(`the replica has not received ${database}`);
  }

  async dropDatabase(name: string): Promise<void> {
    await dropDatabase(this.file, name);
  }

  /** Ends all of its servers. */
  async stop(): Promise<void> {
    await Promise.all(this.possibleReplicas().map((name) => this.end(name)));
    await this.end('primary');
  }

  private possibleReplicas(): ReplicaName[] {
    return replicaNames(this.file.replica2Port === undefined ? 1 : 2);
  }

  /** Ends all of its servers and removes their data. */
  async remove(): Promise<void> {
    await this.stop();
    for (const name of this.possibleReplicas()) removePostgres(this.replicaOptions(name).dir);
    removePostgres(this.primary.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The first `count` replicas of a cluster. */
export function replicaNames(count: number): ReplicaName[] {
  return (['replica', 'replica-2'] as const).slice(0, count);
}

async function clusterFile(dir: string): Promise<ClusterFile> {
  const path = join(dir, 'cluster.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as ClusterFile;
  const fresh: ClusterFile = {
    port: await anyFreePort(),
    replicaPort: await anyFreePort(),
    replica2Port: await anyFreePort(),
    adminPassword: randomBytes(16).toString('hex'),
    replicationPassword: randomBytes(16).toString('hex'),
    roles: newRolePasswords(),
  };
  writeFileSync(path, JSON.stringify(fresh), { mode: 0o600 });
  return fresh;
}
