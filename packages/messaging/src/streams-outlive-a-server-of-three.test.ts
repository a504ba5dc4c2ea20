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
/** JetStream does not answer while its servers elect a leader. */
const info = (connection: NatsConnection) =>
  eventually(async () => (await jetstreamManager(connection)).streams.info(EVENTS));
/** A publish with a message id may be repeated. */
const publish = (connection: NatsConnection, id: string) =>
  eventually(() => jetstream(connection).publish('events.a', id, { msgID: id, timeout: 2_000 }));

it('a stream of one copy gets three copies when configured, and its messages outlive any server', async () => {
  servers = await TestNats.startCluster(3);
  nc = await connectNats({ ...login, url: servers.map(({ url }) => url).join(',') });
  const connection = nc;
  // The servers first elect the leader of their JetStream.
  await eventually(() => ensureStreams(connection, [EVENTS], SIZES));
  await publish(connection, 'before');
  await eventually(() => ensureStreams(connection, [EVENTS], { ...SIZES, replicas: 3 }));
  await until(async () => {
    const { cluster } = await info(connection);
    return cluster?.replicas?.filter(({ current }) => current).length === 2;
  });

  const { cluster } = await info(connection);
  const leader = servers.find(({ name }) => name === cluster?.leader);
  await leader?.kill();
  await publish(connection, 'after');
  expect(leader).toBeDefined();
  expect((await info(connection)).state.messages).toBe(2);
});
