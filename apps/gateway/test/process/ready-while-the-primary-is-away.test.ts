import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectNats } from '@novacron/messaging/connect';
import { startService, type RunningService } from '@novacron/service-kit/run';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { eventually } from '@novacron/testkit/wait';
import type { NatsConnection } from '@nats-io/transport-node';
import { gatewayService } from '../../src/service.js';
import { newSeed, seed } from '../support/process.js';
import { FakeOrchestrator } from '../support/fake-orchestrator.js';

let servers: TestServers;
let service: RunningService;
let nc: NatsConnection;
const seeded = newSeed();

beforeAll(async () => {
  servers = await useTestServers({ nats: true, redis: true, ownCluster: true, replica: true });
  await seed(servers, seeded);
  service = await startService(gatewayService, {
    env: { ...servers.env('gateway'), NOVACRON_HTTP_PORT: '0', NOVACRON_OPS_PORT: '0' },
    logger: createLogger('gateway', 'silent'),
  });
  nc = await connectNats({ ...servers.natsLogin('orchestrator'), name: 'fake-orchestrator' });
  new FakeOrchestrator(nc);
  await nc.flush();
}, 120_000);
afterAll(async () => {
  await service?.stop();
  await nc?.close();
  await servers?.stop();
}, 60_000);

const get = (path: string, token?: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${service.httpPort}${path}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
const degraded = async (): Promise<string | undefined> => {
  const text = await (await fetch(`http://127.0.0.1:${service.opsPort}/metrics`)).text();
  return /^novacron_degraded\{dependency="postgres"\} (\d)/m.exec(text)?.[1];
};

describe('a gateway whose primary is unreachable', () => {
  it('stays ready, reports that it is degraded, and answers reads with tokens that it did not know', async () => {
    await servers.cluster?.end('primary', 'kill');
    await eventually(async () => {
      const ready = await get('/ready');
      expect([ready.status, await ready.json()]).toEqual([
        200,
        expect.objectContaining({
          ready: true,
          status: 'degraded',
          checks: expect.objectContaining({ postgres: expect.objectContaining({ ok: false }) }),
        }),
      ]);
    });
    expect(await degraded()).toBe('1');
    // This token was never used before: a replica knows it.
    const list = await get('/api/v1/vms', seeded.token);
    expect([list.status, await list.json()]).toEqual([200, { items: [], nextCursor: null }]);
    expect((await get('/api/v1/vms', 'nvc_nobodyhasgotthistokenatallreally')).status).toBe(401);
  }, 90_000);

  it('recovers by itself when the primary returns', async () => {
    await servers.cluster?.restart('primary');
    await eventually(async () => {
      expect(await (await get('/ready')).json()).toMatchObject({
        ready: true,
        checks: { postgres: { ok: true } },
      });
      expect(await degraded()).toBe('0');
    });
  }, 90_000);
});
