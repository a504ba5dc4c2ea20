import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { createLogger } from '@novacron/telemetry/logger';
import { until } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestNats } from '../test/nats-server.js';
import { connectNats, isConnected } from './connect.js';
import { SharedConsumer, type SharedConsumerOptions, type SharedMessage } from './shared-consumer.js';
import { ensureStreams, EVENTS } from './streams.js';

const SIZES = { eventsMaxBytes: 50_000_000, metricsMaxBytes: 50_000_000 };
const logger = createLogger('test', 'silent');
let nats: TestNats;
let nc: NatsConnection;
const running: SharedConsumer[] = [];
const connections: NatsConnection[] = [];

beforeEach(async () => {
  nats = await TestNats.start();
  nc = await open();
  await ensureStreams(nc, [EVENTS], SIZES);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
  await Promise.all(connections.splice(0).map((connection) => connection.close()));
  await nats.stop();
});

async function open(): Promise<NatsConnection> {
  const connection = await connectNats({ url: nats.url, user: 'server', password: 's', name: 'test' });
  connections.push(connection);
  return connection;
}

const numberOf = (message: SharedMessage) => Number(Buffer.from(message.data).toString());

function share(options: Partial<SharedConsumerOptions> & Pick<SharedConsumerOptions, 'handle'>) {
  const consumer = new SharedConsumer({
    nc,
    stream: EVENTS,
    durable: 'shared',
    ackWaitMs: 4_000,
    logger,
    ...options,
  });
  running.push(consumer);
  consumer.start();
  return consumer;
}

async function publish(from: number, to: number): Promise<void> {
  const js = jetstream(nc);
  await Promise.all(
    upTo(to)
      .slice(from - 1)
      .map((n) => js.publish('events.t.vm.x', String(n))),
  );
}

async function unacknowledged(): Promise<number> {
  const info = await (await jetstreamManager(nc)).consumers.info(EVENTS, 'shared');
  return info.num_ack_pending + info.num_pending;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);

describe('consumers that share a stream', () => {
  it('receive each message once between them, each a part', async () => {
    const got: number[][] = [[], []];
    for (const mine of got) {
      const handle = async (batch: readonly SharedMessage[]) => {
        for (const message of batch) {
          mine.push(numberOf(message));
          message.ack();
        }
        await sleep(2);
      };
      share({ nc: await open(), handle, maxBatch: 4 });
    }
    await until(() => running.every((consumer) => consumer.healthy));
    await publish(1, 300);
    await until(() => got.flat().length >= 300);
    expect(sorted(got.flat())).toEqual(upTo(300));
    for (const mine of got) expect(mine.length).toBeGreaterThan(0);
  });

  it('receive the unacknowledged messages of one that died', async () => {
    await publish(1, 20);
    const dying = await open();
    const held = new Set<number>();
    const dead = share({
      nc: dying,
      handle: async (batch) => batch.forEach((message) => held.add(numberOf(message))),
    });
    await until(() => held.size === 20);
    await dying.close();
    running.splice(running.indexOf(dead), 1);
    const again: SharedMessage[] = [];
    share({
      handle: async (batch) => {
        for (const message of batch) message.ack();
        again.push(...batch);
      },
    });
    await until(() => new Set(again.map(numberOf)).size === 20);
    expect(sorted(new Set(again.map(numberOf)))).toEqual(upTo(20));
    expect(again.every((message) => message.redelivered)).toBe(true);
  });

  it('keep their messages while they live, and return those that they failed to handle', async () => {
    await publish(1, 1);
    let handled = 0;
    const kept: SharedMessage[] = [];
    share({
      handle: async (batch) => {
        if (++handled === 1) throw new Error('not now');
        kept.push(...batch);
      },
    });
    await until(() => kept.length === 1);
    await sleep(6_000);
    expect(handled).toBe(2);
    kept[0]?.ack();
    await nc.flush();
    expect(await unacknowledged()).toBe(0);
  });

  it('continue by themselves after NATS was killed and after the stream was recreated', async () => {
    const got = new Set<number>();
    share({
      handle: async (batch) => {
        for (const message of batch) {
          got.add(numberOf(message));
          message.ack();
        }
      },
    });
    await publish(1, 10);
    await until(() => got.size === 10);
    await nats.kill();
    await until(() => !isConnected(nc));
    await nats.up();
    await until(() => isConnected(nc));
    await (await jetstreamManager(nc)).streams.delete(EVENTS);
    await ensureStreams(nc, [EVENTS], SIZES);
    await publish(11, 20);
    await until(() => got.size === 20);
  });

  it('settle their messages before they stop', async () => {
    const kept: SharedMessage[] = [];
    const consumer = share({
      handle: async (batch) => void kept.push(...batch),
      settle: async () => kept.forEach((message) => message.ack()),
    });
    await publish(1, 10);
    await until(() => kept.length >= 10);
    await consumer.stop();
    await nc.flush();
    expect(await unacknowledged()).toBe(0);
  });
});
