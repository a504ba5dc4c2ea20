import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { z } from 'zod';
import { connectNats } from './connect.js';
import { DurableConsumer } from './consumer.js';
import { requestDirect, serveDirect } from './direct.js';
import { RequestDispatcher } from './request-dispatcher.js';
import { publishEvent } from './publisher.js';
import { ensureStreams } from './streams.js';

const HOST = '0190a000-0000-7000-8000-00000000000a';
const logger = createLogger('test', 'silent');
const connections: NatsConnection[] = [];
let servers: TestServers;

beforeAll(async () => {
  servers = await useTestServers({ postgres: false, nats: true });
  await servers.addHost(HOST);
  await ensureStreams(await as('orchestrator'), ['EVENTS']);
  await ensureStreams(await as('metrics'), ['METRICS']);
});
afterEach(async () => {
  await Promise.all(connections.splice(0).map((nc) => nc.close()));
});
afterAll(() => servers.stop());

async function as(user: string): Promise<NatsConnection> {
  const nc = await connectNats({ ...servers.natsLogin(user), name: user });
  connections.push(nc);
  return nc;
}

/** Consumes as one user the messages of another, over one rebuild of the consumer with messages pending. */
async function crosses(
  publisher: string,
  consumer: string,
  stream: string,
  subject: string,
): Promise<string[]> {
  const js = jetstream(await as(publisher));
  const nc = await as(consumer);
  const seen: string[] = [];
  for (const failing of [true, false]) {
    await publishEvent(js, subject, Buffer.from(`m${failing}`), `${subject}${failing}`);
    let failed = false;
    const durable = new DurableConsumer({
      nc,
      stream,
      durable: consumer === 'cache' ? 'cache-invalidation' : 'test',
      filterSubject: subject,
      logger,
      handle: async (batch) => {
        failed = failing;
        if (failing) throw new Error('not now');
        seen.push(...batch.map(({ data }) => Buffer.from(data).toString()));
      },
    });
    durable.start();
    await until(() => (failing ? failed : seen.length >= 2)).finally(() => durable.stop());
  }
  return seen;
}

describe('the permissions of the stack’s NATS users', () => {
  it('let the cache invalidator read the orchestrator’s events', async () => {
    expect(await crosses('orchestrator', 'cache', 'EVENTS', 'events.t.vm.a')).toEqual(['mtrue', 'mfalse']);
  });

  it('let a gateway receive events as they are published', async () => {
    const gateway = await as('gateway');
    const heard: string[] = [];
    gateway.subscribe('events.t.vm.b', { callback: (_, message) => void heard.push(message.string()) });
    await gateway.flush();
    await publishEvent(jetstream(await as('orchestrator')), 'events.t.vm.b', Buffer.from('b'), 'b');
    await until(() => heard.length > 0);
    expect(heard).toEqual(['b']);
  });

  it('let metrics-ingest read the batches of a host and of the gateway', async () => {
    const subject = `metrics.ingest.3.${HOST}`;
    expect(await crosses(`host-${HOST}`, 'metrics', 'METRICS', subject)).toEqual(['mtrue', 'mfalse']);
    const pushed = publishEvent(
      jetstream(await as('gateway')),
      'metrics.ingest.3.gateway',
      Buffer.from('x'),
      'push',
    );
    expect((await pushed).duplicate).toBe(false);
  });

  it('let a host and the orchestrator send requests to each other, and identify the host by the subject', async () => {
    const host = await as(`host-${HOST}`);
    const orchestrator = await as('orchestrator');
    const requests = new RequestDispatcher({ maxInFlight: 4, logger });
    const Beat = z.strictObject({ guests: z.number() });
    const Needed = z.object({ needed: z.string() });
    serveDirect(orchestrator, requests, {
      subject: 'hosts.*.heartbeat',
      queue: 'orchestrator',
      body: Beat,
      handle: async (body, [, hostId]) => ({ needed: `${hostId}:${body.guests}` }),
    });
    serveDirect(host, requests, {
      subject: `agents.${HOST}.command`,
      body: z.unknown(),
      handle: async () => ({ needed: 'x' }),
    });
    await Promise.all([host.flush(), orchestrator.flush()]);
    const beat = (body: unknown) =>
      requestDirect(host, {
        subject: `hosts.${HOST}.heartbeat`,
        label: 'hosts.*.heartbeat',
        body,
        reply: Needed,
        timeoutMs: 20_000,
      });
    expect(await beat({ guests: 3 })).toEqual({ needed: `${HOST}:3` });
    await expect(beat({ guests: 'x', more: 1 })).rejects.toMatchObject({
      code: 'invalid_request',
      errors: [{ path: '/guests' }, { path: '/more' }],
    });
    const command = {
      subject: `agents.${HOST}.command`,
      label: 'agents.*.command',
      body: {},
      timeoutMs: 20_000,
    };
    expect(await requestDirect(orchestrator, { ...command, reply: Needed })).toEqual({ needed: 'x' });
    await expect(
      requestDirect(orchestrator, { ...command, reply: z.object({ other: z.number() }) }),
    ).rejects.toMatchObject({
      code: 'invalid_request',
      errors: [{ path: '/reply/other' }],
    });
    await requests.drain();
    await expect(requestDirect(orchestrator, { ...command, reply: Needed })).rejects.toMatchObject({
      code: 'dependency_down',
    });
  });

  it('refuse a host that publishes for another, in bounded time', async () => {
    const host = await as(`host-${HOST}`);
    const foreign = {
      subject: 'hosts.another.heartbeat',
      label: 'hosts.*.heartbeat',
      body: {},
      reply: z.unknown(),
      timeoutMs: 1_000,
    };
    await expect(requestDirect(host, foreign)).rejects.toMatchObject({ name: 'ServiceError' });
  });
});
