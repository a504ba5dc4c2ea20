import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import { type Environment, type TestServers, useTestServers } from '@novacron/testkit/servers';
import { ServiceProcess } from '@novacron/testkit/service-process';
import { replicaNames, type TestCluster } from '@novacron/testkit/test-cluster';
import { Client } from './client.js';
import type { GatewayEndpoint } from './history-client.js';
import { FleetReplica } from './replica.js';
import { sabotages, type SabotageName } from './sabotages.js';

export interface FleetOptions {
  /** a deliberate bug in the processes that it affects */
  readonly sabotage?: SabotageName;
}

/** A gateway process and its endpoint. */
interface Gateway extends GatewayEndpoint {
  process: ServiceProcess;
}

/** What a process of a service was made of. */
interface Made {
  readonly app: string;
  readonly name: string;
  readonly env: Environment;
}

const HOSTS = 2;

/**
 * A small real fleet: a primary with two replicas, Redis, NATS, one orchestrator, two gateways, two invalidators, and
 * an agent with simulated hosts. Each process can be killed and restarted.
 */
export class Fleet {
  readonly gateways: Gateway[] = [];
  readonly invalidators: ServiceProcess[] = [];
  readonly replicas: FleetReplica[] = [];
  readonly #made = new Map<ServiceProcess, Made>();
  #sabotage: SabotageName | undefined;
  #orchestrator!: ServiceProcess;
  #agent!: ServiceProcess;

  private constructor(
    readonly servers: TestServers,
    options: FleetOptions,
  ) {
    this.#sabotage = options.sabotage;
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const servers = await useTestServers({ replicas: 2, redis: true, nats: true });
    const fleet = new Fleet(servers, options);
    try {
      await fleet.#start();
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get cluster(): TestCluster {
    if (!this.servers.cluster) throw new Error('a fleet needs its own Postgres cluster');
    return this.servers.cluster;
  }

  get orchestrator(): ServiceProcess {
    return this.#orchestrator;
  }

  /** Deletes the streams and their messages while NATS is down. */
  loseJetStream(): void {
    rmSync(join(this.servers.dir, 'nats', 'jetstream'), { recursive: true, force: true });
  }

  /** A tenant with one API token. */
  async newTenant(name: string): Promise<string> {
    const token = randomBytes(32).toString('hex');
    const tenantId = randomUUID();
    const env = {
      ...inheritedEnvironment(),
      ...this.servers.env('gateway'),
      NOVACRON_SEED_TENANT_ID: tenantId,
      NOVACRON_SEED_TENANT_NAME: `${name}-${tenantId}`,
      NOVACRON_SEED_TOKEN: token,
      NOVACRON_SEED_OPERATOR_TOKEN: randomBytes(32).toString('hex'),
    };
    const seed = join(repositoryRoot, 'apps', 'gateway', 'dist', 'seed.js');
    await promisify(execFile)(process.execPath, [seed], { env, timeout: 60_000 });
    return token;
  }

  /** Kills a gateway. It forgets its sessions without tokens, so the incarnation increases first. */
  async killGateway(index: number): Promise<void> {
    const gateway = this.gateways[index] as Gateway;
    gateway.incarnation += 1;
    await gateway.process.kill();
  }

  /** Restarts the processes that `sabotage` changes, and those that the previous one changed. */
  async become(sabotage: SabotageName): Promise<void> {
    const changed = new Set([...appsOf(this.#sabotage), ...appsOf(sabotage)]);
    this.#sabotage = sabotage;
    const again = async (process: ServiceProcess): Promise<ServiceProcess> => {
      const made = this.#made.get(process);
      if (made === undefined || !changed.has(made.app)) return process;
      await process.kill();
      await process.stop();
      const next = this.#service(made.app, made.name, made.env);
      await next.start();
      return next;
    };
    this.#orchestrator = await again(this.#orchestrator);
    for (const gateway of this.gateways) {
      gateway.process = await again(gateway.process);
      gateway.incarnation += 1;
    }
    for (const [index, invalidator] of this.invalidators.entries())
      this.invalidators[index] = await again(invalidator);
  }

  /** Ends everything and removes its files. */
  async stop(): Promise<void> {
    for (const { client } of this.gateways) client.close();
    for (const replica of this.replicas) {
      await replica.resume().catch(() => undefined); // it may be down; it ends anyway
      replica.close();
    }
    const services = [...this.gateways.map(({ process }) => process), ...this.invalidators];
    await Promise.all([...services, this.#orchestrator, this.#agent].map((service) => service?.kill()));
    await Promise.all([...services, this.#orchestrator, this.#agent].map((service) => service?.stop()));
    await this.servers.stop();
  }

  async #start(): Promise<void> {
    for (const name of replicaNames(2)) this.replicas.push(new FleetReplica(name, this.cluster));
    await this.#makeServices();
    await this.#orchestrator.start();
    const rest = [...this.invalidators, ...this.gateways.map(({ process }) => process), this.#agent];
    await Promise.all(rest.map((service) => service.start()));
  }

  async #makeServices(): Promise<void> {
    this.#orchestrator = this.#service('vm-orchestrator', 'orchestrator', this.servers.env('orchestrator'));
    for (const index of [0, 1]) {
      const httpPort = await anyFreePort();
      const gateway = {
        ...this.servers.env('gateway'),
        ...(await opsPort()),
        NOVACRON_HTTP_PORT: String(httpPort),
      };
      const process = this.#service('gateway', `gateway-${index}`, gateway);
      this.gateways.push({ process, client: new Client(httpPort), incarnation: 0 });
      const invalidator = { ...this.servers.env('cache'), ...(await opsPort()) };
      this.invalidators.push(this.#service('cache-invalidator', `cache-invalidator-${index}`, invalidator));
    }
    this.#agent = this.#service('host-agent', 'host-agent', await this.#agentEnv());
  }

  async #agentEnv(): Promise<Environment> {
    const hosts: object[] = [];
    for (let i = 1; i <= HOSTS; i++)
      hosts.push({ ...(await this.servers.addHost(randomUUID())), name: `host-${i}` });
    const file = join(this.servers.dir, 'hosts.json');
    writeFileSync(file, JSON.stringify(hosts));
    return {
      ...this.servers.agentEnv(),
      NOVACRON_AGENT_DRIVER: 'simulated',
      NOVACRON_AGENT_ZONE: 'sim',
      NOVACRON_AGENT_HOSTS: file,
      NOVACRON_AGENT_STATE_DIR: join(this.servers.dir, 'agent-state'),
      NOVACRON_AGENT_SIM_LATENCY: 'all=5ms',
      NOVACRON_AGENT_METRICS_INTERVAL_MS: '60000',
    };
  }

  /** The built program, with modules preloaded that change its behaviour. */
  #service(app: string, name: string, env: Environment): ServiceProcess {
    const modules: string[] = app === 'cache-invalidator' ? ['dies-at-a-tombstone'] : [];
    if (this.#sabotage !== undefined && appsOf(this.#sabotage).includes(app)) modules.push(this.#sabotage);
    const flags = modules.map((module) => `--import=${preloadUrl(module)}`).join(' ');
    const process = new ServiceProcess(app, flags === '' ? env : { ...env, NODE_OPTIONS: flags }, name);
    this.#made.set(process, { app, name, env });
    return process;
  }
}

function appsOf(sabotage: SabotageName | undefined): readonly string[] {
  return sabotage === undefined ? [] : sabotages[sabotage].apps;
}

async function opsPort(): Promise<Environment> {
  return { NOVACRON_OPS_PORT: String(await anyFreePort()) };
}

function preloadUrl(module: string): string {
  return pathToFileURL(join(import.meta.dirname, 'preload', `${module}.js`)).href;
}
