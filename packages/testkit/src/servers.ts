import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import {
  type NatsOptions,
  natsProgram,
  natsUrl,
  prepareNats,
} from '@novacron/local-stack/servers/nats-server';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import { adminUser } from '@novacron/local-stack/servers/postgres-server';
import {
  prepareRedis,
  redisProgram,
  redisUrl,
  type RedisOptions,
} from '@novacron/local-stack/servers/redis-server';
import { waitUntil } from '@novacron/local-stack/supervisor/processes';
import {
  adminNatsUser,
  hostUser,
  type NatsUser,
  natsServices,
  serviceUser,
} from '@novacron/provisioning/nats-permissions';
import type { Schema } from '@novacron/provisioning/postgres-roles';
import { isRedisService } from '@novacron/provisioning/redis-users';
import { PrivateServer } from './private-server.js';
import { makeStreams } from './streams.js';
import { replicaNames, type ServerName, TestCluster } from './test-cluster.js';
import { privateDirectory, sweepPrivateDirectories } from './test-home.js';

export interface TestServerOptions {
  /** a streaming replica of the test cluster (default false) */
  readonly replica?: boolean;
  /** number of replicas; 2 implies `ownCluster` */
  readonly replicas?: 0 | 1 | 2;
  /** default true; false: no database */
  readonly postgres?: boolean;
  /** a durable cluster of its own, for tests that kill Postgres (costs about 4 s) */
  readonly ownCluster?: boolean;
  readonly redis?: boolean;
  readonly nats?: boolean;
}

/** Environment variables of a process. */
export type Environment = Record<string, string>;

/** Real servers of one test file: its own database, and its own NATS and Redis when wanted. */
export class TestServers {
  private readonly users: NatsUser[] = [];
  private readonly natsPasswords = new Map<string, string>();
  private readonly opsPorts = new Map<string, number>();
  private readonly keys = {
    consistency: randomBytes(32).toString('hex'),
    tokenHash: randomBytes(32).toString('hex'),
  };

  private constructor(
    /** directory for files of this test; removed by stop() */
    readonly dir: string,
    readonly cluster: TestCluster | undefined,
    /** name of the fresh database; '' without Postgres */
    readonly database: string,
    private readonly options: TestServerOptions,
    private readonly natsOptions: NatsOptions,
    private readonly redisOptions: RedisOptions,
    /** private servers, which a test may kill() and start() */
    readonly nats: PrivateServer,
    readonly redis: PrivateServer,
    readonly httpPort: number,
  ) {}

  static async start(options: TestServerOptions): Promise<TestServers> {
    await sweepPrivateDirectories();
    const dir = privateDirectory();
    const cluster = options.postgres === false ? undefined : await openCluster(dir, options);
    const database = (await cluster?.newDatabase({ replicas: replicaCount(options) })) ?? '';
    const natsOptions = { name: 'nats', dir: join(dir, 'nats'), port: await anyFreePort() };
    const redisDir = join(dir, 'redis');
    const redisOptions = { name: 'redis', dir: redisDir, port: await anyFreePort(), password: secret() };
    const nats = new PrivateServer(natsProgram(natsOptions), dir);
    const redis = new PrivateServer(redisProgram(redisOptions), dir, () => prepareRedis(redisOptions));
    const httpPort = await anyFreePort();
    const servers = new TestServers(
      dir,
      cluster,
      database,
      options,
      natsOptions,
      redisOptions,
      nats,
      redis,
      httpPort,
    );
    await servers.startPrivate();
    return servers;
  }

  private async startPrivate(): Promise<void> {
    for (const name of ['gateway', 'orchestrator', 'metrics', 'cache', 'agent']) {
      this.opsPorts.set(name, await anyFreePort());
    }
    this.addUser(adminNatsUser(secret()));
    for (const service of natsServices) this.addUser(serviceUser(service, secret()));
    const starting: Promise<void>[] = [];
    if (this.options.redis) starting.push(this.redis.start());
    if (this.options.nats) {
      prepareNats(this.natsOptions, this.users);
      starting.push(this.nats.start().then(() => makeStreams(this.natsLogin('admin'))));
    }
    await Promise.all(starting);
  }

  private addUser(user: NatsUser): void {
    this.users.push(user);
    this.natsPasswords.set(user.user, user.password);
  }

  /** Address and password of a NATS user: `admin`, a service's name, or `host-<hostId>` after addHost(). */
  natsLogin(user: string): { url: string; user: string; password: string } {
    const password = this.natsPasswords.get(user);
    if (password === undefined) throw new Error(`unknown NATS user ${user}`);
    return { url: natsUrl(this.natsOptions), user, password };
  }

  /** Adds a host's NATS user to the running server. Resolves when the user can log in. */
  async addHost(hostId: string): Promise<{ hostId: string; natsUser: string; natsPassword: string }> {
    const user = hostUser(hostId, secret());
    this.addUser(user);
    prepareNats(this.natsOptions, this.users);
    if (this.nats.pid !== undefined) process.kill(this.nats.pid, 'SIGHUP');
    const login = this.natsLogin(user.user);
    if (!(await waitUntil(() => canLogIn(login), 10_000))) throw new Error(`${user.user} cannot log in`);
    return { hostId, natsUser: user.user, natsPassword: user.password };
  }

  /** Connection of the superuser to the test's database (or another one). */
  adminUrl(database = this.database): string {
    const { port, adminPassword } = this.requireCluster().file;
    return `postgres://${adminUser}:${adminPassword}@127.0.0.1:${port}/${database}`;
  }

  /** Connection of one service's role to the test's database. */
  roleUrl(schema: Schema, kind: 'owner' | 'api' | 'sys', server: ServerName = 'primary'): string {
    const cluster = this.requireCluster();
    const { file } = cluster;
    const port = server === 'primary' ? file.port : cluster.replicaPort(server);
    return `postgres://${schema}_${kind}:${file.roles[schema][kind]}@127.0.0.1:${port}/${this.database}`;
  }

  private requireCluster(): TestCluster {
    if (!this.cluster) throw new Error('these test servers were started without Postgres');
    return this.cluster;
  }

  /** The URL of this test's Redis, for its administrator. */
  get redisUrl(): string {
    return redisUrl(this.redisOptions);
  }

  /** The variables that the local stack gives this service. */
  env(service: Schema): Environment {
    return {
      NOVACRON_HOME: this.dir,
      NOVACRON_LOG_LEVEL: 'warn',
      NOVACRON_OPS_HOST: '127.0.0.1',
      NOVACRON_OPS_PORT: String(this.opsPorts.get(service)),
      ...(this.cluster ? this.postgresEnv(this.cluster, service) : {}),
      ...(this.options.nats ? this.natsEnv(service) : {}),
      ...(this.options.redis && isRedisService(service)
        ? { NOVACRON_REDIS_URL: redisUrl(this.redisOptions, service) }
        : {}),
      ...(service === 'gateway' ? this.gatewayEnv() : {}),
      // Tests invent their hosts, so hosts need no approval.
      ...(service === 'orchestrator' ? { NOVACRON_HOST_ADMISSION: 'first' } : {}),
    };
  }

  private postgresEnv(cluster: TestCluster, schema: Schema): Environment {
    const { file } = cluster;
    const replicas = replicaNames(replicaCount(this.options)).map((name) => cluster.replicaPort(name));
    return {
      NOVACRON_PG_PRIMARY: `127.0.0.1:${file.port}`,
      NOVACRON_PG_REPLICAS: replicas.map((port) => `127.0.0.1:${port}`).join(','),
      NOVACRON_PG_DATABASE: this.database,
      NOVACRON_PG_OWNER_PASSWORD: file.roles[schema].owner,
      NOVACRON_PG_API_PASSWORD: file.roles[schema].api,
      NOVACRON_PG_SYS_PASSWORD: file.roles[schema].sys,
    };
  }

  private natsEnv(user: string): Environment {
    const login = this.natsLogin(user);
    return {
      NOVACRON_NATS_URL: login.url,
      NOVACRON_NATS_USER: login.user,
      NOVACRON_NATS_PASSWORD: login.password,
    };
  }

  private gatewayEnv(): Environment {
    return {
      NOVACRON_HTTP_HOST: '127.0.0.1',
      NOVACRON_HTTP_PORT: String(this.httpPort),
      NOVACRON_CONSISTENCY_KEY: this.keys.consistency,
      NOVACRON_TOKEN_HASH_KEY: this.keys.tokenHash,
    };
  }

  /** Base variables of a host agent; the caller adds NOVACRON_AGENT_* (hosts from addHost()). */
  agentEnv(): Environment {
    return {
      NOVACRON_HOME: this.dir,
      NOVACRON_LOG_LEVEL: 'warn',
      NOVACRON_OPS_HOST: '127.0.0.1',
      NOVACRON_OPS_PORT: String(this.opsPorts.get('agent')),
      NOVACRON_NATS_URL: natsUrl(this.natsOptions),
    };
  }

  /** Ends the private servers, drops the database and removes the files. The shared cluster stays for the next test file. */
  async stop(): Promise<void> {
    await Promise.all([this.nats.stop(), this.redis.stop()]);
    if (hasOwnCluster(this.options)) await this.cluster?.remove();
    else await this.cluster?.dropDatabase(this.database);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function secret(): string {
  return randomBytes(16).toString('hex');
}

function replicaCount({ replica, replicas }: TestServerOptions): number {
  return replicas ?? (replica ? 1 : 0);
}

/** The shared cluster has one replica. */
function hasOwnCluster(options: TestServerOptions): boolean {
  return options.ownCluster === true || replicaCount(options) > 1;
}

function openCluster(dir: string, options: TestServerOptions): Promise<TestCluster> {
  const replicas = replicaCount(options);
  return hasOwnCluster(options)
    ? TestCluster.open(join(dir, 'postgres'), { durable: true, replicas })
    : TestCluster.shared({ replica: replicas === 1 });
}

async function canLogIn(login: { url: string; user: string; password: string }): Promise<boolean> {
  try {
    const nc = await connect({
      servers: login.url,
      user: login.user,
      pass: login.password,
      reconnect: false,
    });
    await nc.close();
    return true;
  } catch {
    return false; // the server has not reloaded yet
  }
}

/**
 * Real servers for a test file: `beforeAll(async () => { servers = await useTestServers({ nats: true }) })`,
 * `afterAll(() => servers.stop())`. Postgres is always there unless `postgres: false`.
 */
export function useTestServers(options: TestServerOptions = {}): Promise<TestServers> {
  return TestServers.start(options);
}
