import { afterEach, expect, it } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { eventually, until } from '@novacron/testkit/wait';
import { TestNats } from '../test/nats-server.js';
import { connectNats } from './connect.js';
import { ensureStreams, EVENTS } from './streams.js';

const SIZES = { eventsMaxBytes: 50_000_000, metricsMaxBytes: 50_000_000 };
let servers: TestNats[] = [];
let nc: NatsConnection | undefined;

afterEach(async () => {
  await nc?.close();
  await Promise.all(servers.map((server) => server.stop()));
});

const login = { user: 'server', password: 's', name: 'test' };
const copies = async (connection: NatsConnection) =>
  (await (await jetstreamManager(connection)).streams.info(EVENTS)).cluster?.replicas?.filter(
    ({ current }) => current,
  ).length;

it('a stream of one copy gets three when told so, and its messages outlive any server', async () => {
  servers = await TestNats.startCluster(3);
  nc = await connectNats({ ...login, url: servers.map(({ url }) => url).join(',') });
  const connection = nc;
  // The servers elect first who keeps their JetStream in order.
  await eventually(() => ensureStreams(connection, [EVENTS], SIZES));
  await jetstream(connection).publish('events.a', 'before');
  await ensureStreams(connection, [EVENTS], { ...SIZES, replicas: 3 });
  await until(async () => (await copies(connection).catch(() => 0)) === 2);

  const { cluster } = await (await jetstreamManager(connection)).streams.info(EVENTS);
  const leader = servers.find(({ name }) => name === cluster?.leader);
  await leader?.kill();
  const options = { msgID: '2', timeout: 2_000 };
  await eventually(() => jetstream(connection).publish('events.a', 'after', options));
  const { state } = await (await jetstreamManager(connection)).streams.info(EVENTS);
  expect(leader).toBeDefined();
  expect(state.messages).toBe(2);
});
