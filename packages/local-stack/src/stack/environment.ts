import { join } from 'node:path';
import type { NatsService } from '@novacron/provisioning/nats-permissions';
import { isRedisService } from '@novacron/provisioning/redis-users';
import { inheritedEnvironment, type StackConfig } from '../config.js';
import { type Agent, agentDirectory, approvedHostsFile, hostsFile } from '../home/agents.js';
import type { StackPorts } from '../home/ports.js';
import type { Secrets } from '../home/secrets.js';
import type { PostgresName, Topology } from '../home/topology.js';
import { database, type Layout } from '../layout.js';
import { natsUrl } from '../servers/nats-server.js';
import { adminUser } from '../servers/postgres-server.js';
import { redisUrl } from '../servers/redis-server.js';

/** The inputs for the environment of this stack's processes. */
export interface StackSettings {
  readonly paths: Layout;
  readonly config: StackConfig & { readonly httpHost: string };
  readonly secrets: Secrets;
  readonly ports: StackPorts;
  readonly topology: Topology;
}

type Environment = Record<string, string>;

function common({ paths, config }: StackSettings, opsPort: number): Environment {
  return {
    ...inheritedEnvironment(),
    NODE_ENV: 'production',
    NOVACRON_HOME: paths.home,
    NOVACRON_LOG_LEVEL: config.logLevel,
    NOVACRON_OPS_HOST: '127.0.0.1',
    NOVACRON_OPS_PORT: String(opsPort),
  };
}

function postgresAddresses({ ports, topology }: StackSettings): Environment {
  return {
    NOVACRON_PG_PRIMARY: `127.0.0.1:${ports[topology.primary]}`,
    NOVACRON_PG_REPLICAS: topology.replicas.map((name) => `127.0.0.1:${ports[name]}`).join(','),
    NOVACRON_PG_DATABASE: database,
  };
}

/** The gateway's URL for people and programs. */
export function gatewayUrl({ config }: Pick<StackSettings, 'config'>): string {
  const host = config.httpHost === '0.0.0.0' ? '127.0.0.1' : config.httpHost;
  return `http://${host}:${config.httpPort + config.portOffset}`;
}

/** Environment of one of the four services. `service` is its schema and its NATS user. */
export function serviceEnv(settings: StackSettings, service: NatsService, opsPort: number): Environment {
  const { secrets, ports } = settings;
  return {
    ...common(settings, opsPort),
    ...postgresAddresses(settings),
    NOVACRON_PG_OWNER_PASSWORD: secrets.roles[service].owner,
    NOVACRON_PG_API_PASSWORD: secrets.roles[service].api,
    NOVACRON_PG_SYS_PASSWORD: secrets.roles[service].sys,
    NOVACRON_NATS_URL: natsUrl({ port: ports.nats }),
    NOVACRON_NATS_USER: service,
    NOVACRON_NATS_PASSWORD: secrets.nats[service],
    ...(isRedisService(service)
      ? { NOVACRON_REDIS_URL: redisUrl({ port: ports.redis, password: secrets.redis }, service) }
      : {}),
    ...(service === 'gateway' ? gatewayEnv(settings) : {}),
    ...(service === 'orchestrator' ? orchestratorEnv(settings) : {}),
  };
}

/** All images are rebuildable: simulated guests have no disks, and tiny-linux runs in memory. */
export const imageCatalogue = [
  'ubuntu-22.04',
  'ubuntu-24.04',
  'debian-12',
  'rocky-9',
  'alpine-3.20',
  'tiny-linux',
]
  .map((name) => `${name}:rebuildable`)
  .join(',');

function orchestratorEnv({ paths }: StackSettings): Environment {
  return { NOVACRON_APPROVED_HOSTS: approvedHostsFile(paths), NOVACRON_IMAGES: imageCatalogue };
}

function gatewayEnv({ config, secrets }: StackSettings): Environment {
  return {
    NOVACRON_HTTP_HOST: config.httpHost,
    NOVACRON_HTTP_PORT: String(config.httpPort + config.portOffset),
    NOVACRON_CONSISTENCY_KEY: secrets.consistencyKey,
    NOVACRON_TOKEN_HASH_KEY: secrets.tokenHashKey,
  };
}

/** Environment of the gateway's seed command: the gateway's own, tokens and tenant. */
export function seedEnv(settings: StackSettings, opsPort: number): Environment {
  const { token, operatorToken, tenantId } = settings.secrets;
  return {
    ...serviceEnv(settings, 'gateway', opsPort),
    NOVACRON_SEED_TOKEN: token,
    NOVACRON_SEED_OPERATOR_TOKEN: operatorToken,
    NOVACRON_SEED_TENANT_ID: tenantId,
  };
}

/** Environment of a host agent without inherited variables, for an agent on another machine. */
export function agentOwnEnv(settings: StackSettings, agent: Agent): Environment {
  return {
    NOVACRON_NATS_URL: natsUrl({ port: settings.ports.nats }),
    NOVACRON_AGENT_DRIVER: agent.driver,
    NOVACRON_AGENT_ZONE: agent.zone,
    NOVACRON_AGENT_HOSTS: hostsFile(settings.paths, agent.name),
    NOVACRON_AGENT_STATE_DIR: join(agentDirectory(settings.paths, agent.name), 'state'),
    NOVACRON_AGENT_IMAGES_DIR: settings.paths.images,
  };
}

export function agentEnv(settings: StackSettings, agent: Agent): Environment {
  return {
    ...common(settings, agent.opsPort + settings.config.portOffset),
    ...agentOwnEnv(settings, agent),
  };
}

/** The text of the `env` file, for scripts to `source`. */
export function envFile(settings: StackSettings): string {
  const { secrets, ports, topology } = settings;
  const adminUrl = (name: PostgresName) =>
    `postgres://${adminUser}:${secrets.postgresAdmin}@127.0.0.1:${ports[name]}/${database}`;
  const values: Environment = {
    NOVACRON_HOME: settings.paths.home,
    NOVACRON_URL: gatewayUrl(settings),
    NOVACRON_TOKEN: secrets.token,
    NOVACRON_OPERATOR_TOKEN: secrets.operatorToken,
    NOVACRON_TENANT_ID: secrets.tenantId,
    ...postgresAddresses(settings),
    NOVACRON_PG_ADMIN_URL: adminUrl(topology.primary),
    NOVACRON_PG_REPLICA_ADMIN_URL: topology.replicas[0] ? adminUrl(topology.replicas[0]) : '',
    NOVACRON_NATS_URL: natsUrl({ port: ports.nats }),
    NOVACRON_NATS_ADMIN_URL: `nats://admin:${secrets.nats.admin}@127.0.0.1:${ports.nats}`,
    NOVACRON_REDIS_URL: redisUrl({ port: ports.redis, password: secrets.redis }),
  };
  const lines = Object.entries(values).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`,
  );
  return `# written by npm start; source it: . ${settings.paths.env}\n${lines.join('')}`;
}
