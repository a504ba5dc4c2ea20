import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, PermissionViolationError, type NatsConnection } from '@nats-io/transport-node';
import type { RpcContract } from '@novacron/contracts/envelope';
import { replicationRpc } from '@novacron/contracts/replication';
import { inboxPrefix } from '@novacron/contracts/subject';
import { repositoryRoot } from '@novacron/local-stack/config';
import { eventConsumers, natsServices, type NatsService } from '@novacron/provisioning/nats-permissions';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';

const HOST = '01938a00-0000-7000-8000-00000000000a';
const OTHER = '01938a00-0000-7000-8000-00000000000b';
const APPS: Record<string, NatsService> = {
  gateway: 'gateway',
  'vm-orchestrator': 'orchestrator',
  'metrics-ingest': 'metrics',
  'cache-invalidator': 'cache',
};

let servers: TestServers;
let contracts: Map<string, RpcContract>;
const connections: NatsConnection[] = [];

/** Every RPC contract by its name in code: `vmsRpc.get`, `fetchOrchestratorEvents`. */
async function allContracts(): Promise<Map<string, RpcContract>> {
  const found = new Map<string, RpcContract>();
  const isContract = (value: unknown): value is RpcContract =>
    typeof value === 'object' && value !== null && 'subject' in value && 'reply' in value;
  const folder = join(repositoryRoot, 'packages/contracts/dist');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    const module = (await import(join(folder, file))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module)) {
      if (isContract(value)) found.set(name, value);
      else if (name.endsWith('Rpc') && typeof value === 'object' && value !== null)
        for (const [key, one] of Object.entries(value)) if (isContract(one)) found.set(`${name}.${key}`, one);
    }
  }
  return found;
}

function sources(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}

/** The subjects that the code of a service serves and calls. */
function used(app: string): { serves: string[]; calls: string[] } {
  const text = sources(join(repositoryRoot, 'apps', app, 'src'));
  const [serves, calls]: [string[], string[]] = [[], []];
  for (const [name, { subject }] of contracts) {
    const word = new RegExp(`(RpcHandler\\()?\\b${name.replace('.', '\\.')}\\b(?=[,)\\s.\\]])`, 'g');
    const uses = [...text.matchAll(word)].map(([, handler]) => handler !== undefined);
    if (uses.includes(true)) serves.push(subject);
    // A handler's types name its contract too. A service does not call itself.
    else if (uses.length > 0) calls.push(subject);
  }
  return { serves, calls };
}

/** A subject that no user may publish or subscribe to. */
const FORBIDDEN = 'forbidden.subject';
const STREAM_VERBS = ['CREATE', 'UPDATE', 'INFO', 'DELETE', 'PURGE', 'MSG.GET', 'MSG.DELETE'];
const CONSUMER_VERBS = ['CREATE', 'DURABLE.CREATE', 'INFO', 'DELETE', 'MSG.NEXT'];
const users = [...natsServices, `host-${HOST}`];
const hostSays = (host: string) =>
  ['register', 'heartbeat', 'report', 'inventory', 'ended'].map((what) => `hosts.${host}.${what}`);
const reading = (stream: string, consumer: string) => [
  ...CONSUMER_VERBS.map((verb) => `$JS.API.CONSUMER.${verb}.${stream}.${consumer}`),
  `$JS.ACK.${stream}.${consumer}.1.2.3.4.5`,
];
const stream = (name: string, ...verbs: string[]) => verbs.map((verb) => `$JS.API.STREAM.${verb}.${name}`);
const inboxes = (...of: string[]) => of.map((user) => `${inboxPrefix(user)}.x.1`);

/** A subject of every kind. */
function catalogue(): string[] {
  return [
    'events.t.vm.1',
    ...[...contracts.values()].map(({ subject }) => subject),
    ...natsServices.flatMap((name) => [
      replicationRpc(name).subject,
      `watermarks.${name}`,
      `wake.${name}.relay`,
    ]),
    ...[HOST, OTHER].flatMap((host) => [
      ...hostSays(host),
      `agents.${host}.command`,
      `agents.${host}.inventory`,
      `metrics.ingest.3.${host}`,
    ]),
    'metrics.ingest.3.gateway',
    'invalidations.orchestrator',
    'invalidations.metrics',
    ...inboxes(...users, `host-${OTHER}`),
    ...['EVENTS', 'METRICS'].flatMap((name) => [
      ...stream(name, ...STREAM_VERBS),
      `$JS.API.CONSUMER.CREATE.${name}`,
      ...[...Object.values(eventConsumers), 'another'].flatMap((consumer) => reading(name, consumer)),
    ]),
    '$JS.API.INFO',
    '$JS.API.STREAM.NAMES',
    '$SYS.REQ.SERVER.PING',
  ];
}

/** The subjects that each user needs beside the calls of its code. */
const DUTIES: Record<string, { publish: string[]; hear: string[] }> = {
  gateway: {
    publish: ['metrics.ingest.3.gateway'],
    hear: ['events.t.vm.1', 'watermarks.orchestrator', 'invalidations.orchestrator', 'invalidations.metrics'],
  },
  orchestrator: {
    publish: [
      'events.t.vm.1',
      'watermarks.orchestrator',
      'wake.orchestrator.relay',
      ...[HOST, OTHER].flatMap((host) => [`agents.${host}.command`, `agents.${host}.inventory`]),
      ...inboxes(...users, `host-${OTHER}`),
      ...stream('EVENTS', 'CREATE', 'UPDATE', 'INFO'),
    ],
    hear: ['wake.orchestrator.relay', ...hostSays(HOST), ...hostSays(OTHER)],
  },
  metrics: {
    publish: [
      'invalidations.metrics',
      ...inboxes('gateway', 'cache'),
      ...stream('METRICS', 'CREATE', 'UPDATE', 'INFO', 'MSG.GET'),
      '$JS.API.CONSUMER.CREATE.METRICS',
      ...stream('EVENTS', 'INFO'),
      ...[...Object.values(eventConsumers), 'another'].flatMap((consumer) => reading('METRICS', consumer)),
      ...reading('EVENTS', eventConsumers.metrics),
    ],
    hear: [],
  },
  cache: {
    publish: [
      'invalidations.orchestrator',
      ...inboxes('gateway'),
      ...stream('EVENTS', 'INFO'),
      ...reading('EVENTS', eventConsumers.cache),
    ],
    hear: ['watermarks.orchestrator', 'invalidations.metrics'],
  },
};

async function as(user: string): Promise<NatsConnection> {
  const { url, password } = servers.natsLogin(user);
  const nc = await connect({ servers: url, user, pass: password, inboxPrefix: inboxPrefix(user) });
  connections.push(nc);
  return nc;
}

/** The subjects that the server lets the user publish and subscribe to. */
async function permitted(user: string): Promise<{ publish: string[]; hear: string[] }> {
  const nc = await as(user);
  const refused = { publish: new Set<string>(), subscription: new Set<string>() };
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
      refused[status.error.operation].add(status.error.subject);
    }
  })();
  const all = [...new Set(catalogue())];
  for (const subject of [...all, FORBIDDEN]) {
    const subscription = nc.subscribe(subject, { callback: () => undefined });
    subscription.closed.catch(() => undefined);
  }
  // The server answers in order, so the last refusal means that all have arrived.
  await until(() => refused.subscription.has(FORBIDDEN));
  for (const subject of [...all, FORBIDDEN]) nc.publish(subject, 'x');
  await until(() => refused.publish.has(FORBIDDEN));
  return {
    publish: all.filter((subject) => !refused.publish.has(subject)).sort(),
    hear: all.filter((subject) => !refused.subscription.has(subject)).sort(),
  };
}

beforeAll(async () => {
  servers = await useTestServers({ postgres: false, nats: true });
  await servers.addHost(HOST);
  contracts = await allContracts();
});
afterAll(async () => {
  await Promise.all(connections.map((nc) => nc.close()));
  await servers.stop();
});

describe.each(Object.entries(APPS))('the NATS user of %s', (app, user) => {
  const sorted = (subjects: string[]) => [...new Set(subjects)].sort();
  const rpcOf = (services: readonly string[]) =>
    catalogue().filter((subject) => services.some((name) => subject.startsWith(`rpc.${name}.`)));

  it('may publish exactly the subjects that the service calls', async () => {
    const { calls } = used(app);
    expect(calls.length > 0).toBe(user !== 'orchestrator');
    const { publish } = await permitted(user);
    expect(publish).toEqual(expect.arrayContaining(calls));
    // The gateway may call everything that the services serve, also after their next upgrade.
    const mayCall = user === 'gateway' ? rpcOf(['orchestrator', 'metrics', 'cache']) : calls;
    expect(publish).toEqual(sorted([...mayCall, ...(DUTIES[user]?.publish ?? [])]));
  });

  it('may subscribe to exactly the subjects that the service serves', async () => {
    const { serves } = used(app);
    const own = rpcOf(user === 'gateway' ? [] : [user]);
    expect(own).toEqual(expect.arrayContaining(serves));
    const { hear } = await permitted(user);
    expect(hear).toEqual(sorted([...own, ...inboxes(user), ...(DUTIES[user]?.hear ?? [])]));
  });
});

describe('the NATS user of a host', () => {
  it('may publish and subscribe only for its own host', async () => {
    const { publish, hear } = await permitted(`host-${HOST}`);
    expect(publish).toEqual([...hostSays(HOST), `metrics.ingest.3.${HOST}`].sort());
    expect(hear).toEqual(
      [`agents.${HOST}.command`, `agents.${HOST}.inventory`, ...inboxes(`host-${HOST}`)].sort(),
    );
  });
});

describe('the durable consumers of events', () => {
  it('have the names of the permissions', () => {
    for (const [app, user] of Object.entries(APPS)) {
      const name = (eventConsumers as Record<string, string>)[user];
      if (name === undefined) continue;
      expect(sources(join(repositoryRoot, 'apps', app, 'src'))).toContain(`durable: '${name}'`);
    }
  });
});
