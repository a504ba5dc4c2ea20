import { join } from 'node:path';
import { hostUsers } from './agents.js';
import type { Component } from './component.js';
import { adminNatsUser, type NatsUser, natsServices, serviceUser } from './nats-permissions.js';
import { natsProgram, prepareNats } from './nats-server.js';
import { ensureDatabase, ensureRoles } from './postgres-schemas.js';
import { postgresProgram, preparePrimary, prepareReplica, type ReplicaOptions } from './postgres-server.js';
import { prepareRedis, redisProgram } from './redis-server.js';
import { database, type StackFacts } from './stack-env.js';

export function primaryOptions({ paths, ports, secrets }: StackFacts) {
  const name = 'postgres-primary';
  return { name, dir: join(paths.data, name), port: ports[name], adminPassword: secrets.postgresAdmin };
}

export function replicaOptions(facts: StackFacts): ReplicaOptions {
  const name = 'postgres-replica-1';
  return {
    name,
    dir: join(facts.paths.data, name),
    port: facts.ports[name],
    adminPassword: facts.secrets.postgresAdmin,
    primaryPort: facts.ports['postgres-primary'],
    replicationPassword: facts.secrets.postgresReplication,
    slot: 'replica_1',
  };
}

export function redisOptions({ paths, ports, secrets }: StackFacts) {
  return { name: 'redis', dir: join(paths.data, 'redis'), port: ports.redis, password: secrets.redis };
}

export function natsOptions({ paths, ports }: Pick<StackFacts, 'paths' | 'ports'>) {
  return { name: 'nats', dir: join(paths.data, 'nats'), port: ports.nats };
}

function allNatsUsers({ paths, secrets }: StackFacts): NatsUser[] {
  const services = natsServices.map((service) => serviceUser(service, secrets.nats[service]));
  return [adminNatsUser(secrets.nats.admin), ...services, ...hostUsers(paths)];
}

/** Writes nats.conf with every user of this home. A running server takes it on SIGHUP. */
export function writeNatsUsers(facts: StackFacts): void {
  prepareNats(natsOptions(facts), allNatsUsers(facts));
}

/** The primary, with roles and schemas of all services. */
export function primaryComponent(facts: StackFacts): Component {
  const options = primaryOptions(facts);
  return {
    name: options.name,
    readyWithinMs: 120_000, // recovery after a crash may replay a gigabyte
    prepare: () => preparePrimary(options),
    program: () => postgresProgram(options),
    afterReady: async () => {
      await ensureRoles(options, facts.secrets.roles, facts.secrets.postgresReplication);
      await ensureDatabase(options, database);
    },
  };
}

export function replicaComponent(facts: StackFacts): Component {
  const options = replicaOptions(facts);
  return {
    name: options.name,
    readyWithinMs: 120_000,
    prepare: () => prepareReplica(options),
    program: () => postgresProgram(options),
  };
}

export function redisComponent(facts: StackFacts): Component {
  const options = redisOptions(facts);
  return {
    name: options.name,
    readyWithinMs: 20_000,
    prepare: () => prepareRedis(options),
    program: () => redisProgram(options),
  };
}

/** NATS with the users of this home. Each service makes the streams that it owns. */
export function natsComponent(facts: StackFacts): Component {
  const options = natsOptions(facts);
  return {
    name: options.name,
    readyWithinMs: 60_000,
    prepare: () => writeNatsUsers(facts),
    program: () => natsProgram(options),
  };
}
