import { join } from 'node:path';
import {
  adminNatsUser,
  type NatsUser,
  natsServices,
  serviceUser,
} from '@novacron/provisioning/nats-permissions';
import { finishRestore } from '../backup/restored-data.js';
import { hostUsers } from '../home/agents.js';
import { type PostgresName, postgresNames } from '../home/topology.js';
import { database } from '../layout.js';
import { jetStreamWorks } from '../servers/nats-health.js';
import { natsProgram, prepareNats } from '../servers/nats-server.js';
import { ensureDatabase, ensureRoles } from '../servers/postgres-admin.js';
import {
  type PostgresOptions,
  postgresProgram,
  preparePrimary,
  prepareReplica,
  type ReplicaOptions,
} from '../servers/postgres-server.js';
import { dropSlots, promoteStandby } from '../servers/postgres-standby.js';
import { prepareRedis, redisProgram } from '../servers/redis-server.js';
import type { Component } from '../supervisor/component.js';
import type { StackSettings } from './environment.js';

export function postgresOptions(
  { paths, ports, secrets }: StackSettings,
  name: PostgresName,
): PostgresOptions {
  return { name, dir: join(paths.data, name), port: ports[name], adminPassword: secrets.postgresAdmin };
}

function replicaOptions(settings: StackSettings, name: PostgresName): ReplicaOptions {
  return {
    ...postgresOptions(settings, name),
    primaryPort: settings.ports[settings.topology.primary],
    replicationPassword: settings.secrets.postgresReplication,
    slot: slotOf(name),
  };
}

/** Name of a replica's slot on its primary: `replica_1`. */
function slotOf(name: PostgresName): string {
  return name.replace('postgres-', '').replace('-', '_');
}

function unusedReplicas({ topology }: StackSettings): PostgresName[] {
  return postgresNames.filter((name) => name !== topology.primary && !topology.replicas.includes(name));
}

export function redisOptions({ paths, ports, secrets }: StackSettings) {
  return { name: 'redis', dir: join(paths.data, 'redis'), port: ports.redis, password: secrets.redis };
}

export function natsOptions({ paths, ports }: Pick<StackSettings, 'paths' | 'ports'>) {
  return { name: 'nats', dir: join(paths.data, 'nats'), port: ports.nats };
}

function allNatsUsers({ paths, secrets }: StackSettings): NatsUser[] {
  const services = natsServices.map((service) => serviceUser(service, secrets.nats[service]));
  return [adminNatsUser(secrets.nats.admin), ...services, ...hostUsers(paths)];
}

/** Writes nats.conf with every user of this home. A running server reads it on SIGHUP. */
export function writeNatsUsers(settings: StackSettings): void {
  prepareNats(natsOptions(settings), allNatsUsers(settings));
}

/** The primary, with roles and schemas of all services. */
export function primaryComponent(settings: StackSettings): Component {
  const options = postgresOptions(settings, settings.topology.primary);
  return {
    name: options.name,
    readyWithinMs: 120_000, // recovery after a crash may replay a gigabyte
    prepare: () => {
      finishRestore(options.dir);
      return preparePrimary(options);
    },
    program: () => postgresProgram(options),
    afterReady: async () => {
      await promoteStandby(options); // when the stack died between fencing the old primary and this
      await ensureRoles(options, settings.secrets.roles, settings.secrets.postgresReplication);
      await ensureDatabase(options, database);
      await dropSlots(options, unusedReplicas(settings).map(slotOf)); // unused slots would retain WAL without limit
    },
  };
}

/** A replica that streams from the primary. */
export function replicaComponent(settings: StackSettings, name: PostgresName): Component {
  const options = replicaOptions(settings, name);
  return {
    name: options.name,
    readyWithinMs: 120_000,
    prepare: () => prepareReplica(options),
    program: () => postgresProgram(options),
  };
}

export function redisComponent(settings: StackSettings): Component {
  const options = redisOptions(settings);
  return {
    name: options.name,
    readyWithinMs: 20_000,
    prepare: () => prepareRedis(options),
    program: () => redisProgram(options),
  };
}

/** NATS with the users of this home. Each service creates its own streams. */
export function natsComponent(settings: StackSettings): Component {
  const options = natsOptions(settings);
  return {
    name: options.name,
    readyWithinMs: 60_000,
    prepare: () => writeNatsUsers(settings),
    program: () => natsProgram(options),
    works: () => jetStreamWorks({ ...options, password: settings.secrets.nats.admin }),
  };
}
