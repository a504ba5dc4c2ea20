import { createHmac } from 'node:crypto';
import {
  adminNatsUser,
  hostUser,
  type NatsService,
  natsServices,
  serviceUser,
} from '@novacron/provisioning/nats-permissions';
import { roleName, serviceRoles } from '@novacron/provisioning/postgres-roles';
import { isRedisService } from '@novacron/provisioning/redis-users';
import { scramVerifier } from '@novacron/provisioning/scram';
import { approvedHosts, type Agent, type AgentHost } from '../home/agents.js';
import type { Secrets } from '../home/secrets.js';
import { database } from '../layout.js';
import { natsConf } from '../servers/nats-server.js';
import { adminUser } from '../servers/postgres-server.js';
import { redisConf, redisLogin } from '../servers/redis-server.js';

type Environment = Readonly<Record<string, string>>;
/** Contents of files by name. */
type Files = Readonly<Record<string, string>>;

/** A format that both `node --env-file` and a shell read. Single quotes keep the `$` of a verifier. */
function envFile(values: Environment): string {
  return Object.entries(values)
    .map(([name, value]) => (value.includes('$') ? `${name}='${value}'\n` : `${name}=${value}\n`))
    .join('');
}

function servicePasswords({ roles, nats, redis }: Secrets, service: NatsService): Environment {
  return {
    NOVACRON_PG_API_PASSWORD: roles[service].api,
    NOVACRON_PG_SYS_PASSWORD: roles[service].sys,
    NOVACRON_NATS_USER: service,
    NOVACRON_NATS_PASSWORD: nats[service],
    ...(isRedisService(service)
      ? { NOVACRON_REDIS_URL: `redis://${redisLogin(redis, service)}@redis:6379` }
      : {}),
  };
}

function gatewayKeys({ consistencyKey, tokenHashKey }: Secrets): Environment {
  return { NOVACRON_CONSISTENCY_KEY: consistencyKey, NOVACRON_TOKEN_HASH_KEY: tokenHashKey };
}

function serviceFiles(secrets: Secrets, service: NatsService): Files {
  const keys = service === 'gateway' ? gatewayKeys(secrets) : {};
  return { 'service.env': envFile({ ...servicePasswords(secrets, service), ...keys }) };
}

/** Only the migrations get the owners' passwords. */
function migrationFiles({ roles }: Secrets): Files {
  return Object.fromEntries(
    natsServices.map((service) => [
      `${service}.env`,
      envFile({ NOVACRON_PG_OWNER_PASSWORD: roles[service].owner }),
    ]),
  );
}

function seedFiles(secrets: Secrets): Files {
  const { roles, tokenHashKey, token, operatorToken, tenantId } = secrets;
  return {
    'seed.env': envFile({
      NOVACRON_PG_API_PASSWORD: roles.gateway.api,
      NOVACRON_PG_SYS_PASSWORD: roles.gateway.sys,
      NOVACRON_TOKEN_HASH_KEY: tokenHashKey,
      NOVACRON_SEED_TOKEN: token,
      NOVACRON_SEED_OPERATOR_TOKEN: operatorToken,
      NOVACRON_SEED_TENANT_ID: tenantId,
    }),
  };
}

function postgresFiles({ postgresAdmin, postgresReplication, roles }: Secrets): Files {
  const passwords = serviceRoles.map((role) => [
    `NOVACRON_PG_${roleName(role).toUpperCase()}_PASSWORD`,
    scramVerifier(roles[role.schema][role.kind]),
  ]);
  return {
    'postgres.env': envFile({ POSTGRES_USER: adminUser, POSTGRES_PASSWORD: postgresAdmin }),
    'bootstrap.env': envFile({
      PGUSER: adminUser,
      PGPASSWORD: postgresAdmin,
      NOVACRON_PG_REPLICATION_PASSWORD: scramVerifier(postgresReplication),
      ...(Object.fromEntries(passwords) as Environment),
    }),
  };
}

export function redisFiles({ redis }: Pick<Secrets, 'redis'>): Files {
  return { 'redis.conf': redisConf({ bind: '0.0.0.0', port: 6379, dir: '/tmp', password: redis }) };
}

export function natsFiles(
  { nats }: Pick<Secrets, 'nats'>,
  hosts: readonly Pick<AgentHost, 'hostId' | 'natsPassword'>[],
): Files {
  const users = [
    adminNatsUser(nats.admin),
    ...natsServices.map((service) => serviceUser(service, nats[service])),
    ...hosts.map((host) => hostUser(host.hostId, host.natsPassword)),
  ];
  const options = { dir: '/data', port: 4222, host: '0.0.0.0', monitorPort: 8222, syncAlways: true };
  return { 'nats.conf': natsConf(options, users) };
}

/** Derived from another secret, because only containers have a Grafana. */
function grafanaPassword({ tokenHashKey }: Secrets): string {
  return createHmac('sha256', tokenHashKey).update('grafana').digest('hex').slice(0, 32);
}

/** The contents of each volume `config-…` of docker-compose.yml. Each container gets only what it needs. */
export function composeFiles(
  secrets: Secrets,
  agent: Agent,
  hosts: readonly AgentHost[],
): Readonly<Record<string, Files>> {
  return {
    ...Object.fromEntries(natsServices.map((service) => [service, serviceFiles(secrets, service)])),
    migrate: migrationFiles(secrets),
    seed: seedFiles(secrets),
    postgres: postgresFiles(secrets),
    replica: { 'replica.env': envFile({ PGPASSWORD: secrets.postgresReplication }) },
    redis: redisFiles(secrets),
    nats: natsFiles(secrets, hosts),
    grafana: { 'admin-password': grafanaPassword(secrets) },
    orchestrator: {
      ...serviceFiles(secrets, 'orchestrator'),
      'approved-hosts.json': `${JSON.stringify(approvedHosts(agent, hosts))}\n`,
    },
    agent: { 'hosts.json': `${JSON.stringify(hosts)}\n` },
  };
}

export interface Published {
  readonly url: string;
  /** host:port of the primary and of NATS, when they are published */
  readonly postgres?: string | undefined;
  readonly nats?: string | undefined;
}

/** Shell exports for using the stack, to `eval`. */
export function userEnvironment(secrets: Secrets, { url, postgres, nats }: Published): string {
  const values: Environment = {
    NOVACRON_URL: url,
    NOVACRON_TOKEN: secrets.token,
    NOVACRON_OPERATOR_TOKEN: secrets.operatorToken,
    NOVACRON_TENANT_ID: secrets.tenantId,
    ...(postgres
      ? { NOVACRON_PG_ADMIN_URL: `postgres://${adminUser}:${secrets.postgresAdmin}@${postgres}/${database}` }
      : {}),
    ...(nats ? { NOVACRON_NATS_ADMIN_URL: `nats://admin:${secrets.nats.admin}@${nats}` } : {}),
  };
  return Object.entries(values)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('');
}
