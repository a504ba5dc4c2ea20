import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type RunningService } from '@novacron/service-kit/run';
import { connectNats } from '@novacron/messaging/connect';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { eventually } from '@novacron/testkit/wait';
import type { NatsConnection } from '@nats-io/transport-node';
import { gatewayService } from '../../src/service.js';
import { GUIDE_VM } from '../support/gateway.js';
import { newSeed, seed } from '../support/process.js';
import { FakeOrchestrator } from '../support/fake-orchestrator.js';

let servers: TestServers;
let service: RunningService;
let nc: NatsConnection;
let orchestrator: FakeOrchestrator;
const seeded = newSeed();

beforeAll(async () => {
  servers = await useTestServers({ nats: true, redis: true });
  await seed(servers, seeded);
  service = await startService(gatewayService, {
    env: { ...servers.env('gateway'), NOVACRON_HTTP_PORT: '0', NOVACRON_OPS_PORT: '0' },
    logger: createLogger('gateway', 'silent'),
  });
  nc = await connectNats({ ...servers.natsLogin('orchestrator'), name: 'fake-orchestrator' });
  orchestrator = new FakeOrchestrator(nc);
  await nc.flush();
});
afterAll(async () => {
  await service?.stop();
  await nc?.close();
  await servers?.stop();
});

const url = (path: string): string => `http://127.0.0.1:${service.httpPort}${path}`;
/** Readiness is looked at once a second. */
const readyWith = (status: number, body: object): Promise<void> =>
  eventually(async () => {
    const answer = await fetch(url('/ready'));
    expect([answer.status, await answer.json()]).toEqual([status, expect.objectContaining(body)]);
  });
/** What comes back until the server closes the connection. */
const raw = (text: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(service.httpPort as number, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (data) => (answer += String(data))).on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
const as = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
});

describe('a gateway with its database', () => {
  it('knows the seeded tokens and their roles', async () => {
    const owner = await (await fetch(url('/api/v1/me'), as(seeded.token))).json();
    expect(owner).toMatchObject({ roles: ['owner'], tenant: { id: seeded.tenantId, name: 'demo' } });
    const operator = await (await fetch(url('/api/v1/me'), as(seeded.operatorToken))).json();
    expect(operator).toMatchObject({ roles: ['platform_operator'] });
  });

  it('keeps the tokens when it is seeded again', async () => {
    const before = await (await fetch(url('/api/v1/me'), as(seeded.token))).json();
    await seed(servers, seeded);
    expect(await (await fetch(url('/api/v1/me'), as(seeded.token))).json()).toEqual(before);
  });

  it('refuses an unknown token, with a consistency token of the real position', async () => {
    const answer = await fetch(url('/api/v1/vms'), as('nvc_nobodyhasgotthistokenatallreally'));
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(answer.headers.get('novacron-consistency-token')).toMatch(/^[\w-]{40,}$/);
  });

  it('creates a VM through NATS', async () => {
    const answer = await fetch(url('/api/v1/vms'), {
      method: 'POST',
      headers: { ...as(seeded.token).headers, 'content-type': 'application/json' },
      body: JSON.stringify(GUIDE_VM),
    });
    expect(answer.status).toBe(201);
    expect(orchestrator.requests.at(-1)).toMatchObject({ tenantId: seeded.tenantId });
  });

  it('answers an unknown path, and one that no router takes, as problem+json', async () => {
    for (const path of ['/api/v1/nothing', '/%zz', '//api/v1/vms']) {
      const answer = await fetch(url(path), as(seeded.token));
      expect([path, answer.headers.get('content-type')]).toEqual([path, 'application/problem+json']);
      expect([path, answer.headers.get('x-request-id')]).toEqual([path, expect.any(String)]);
    }
  });

  it('refuses a head over 64 KiB, and ends a request that arrives too slowly', async () => {
    const large = await raw(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(66_000)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1.1 400 .*The headers are too large/s);
    const token = `Authorization: Bearer ${seeded.token}`;
    const body = `POST /api/v1/vms HTTP/1.1\r\nHost: a\r\n${token}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`;
    // Each ends by the server's own clock, after the guide's 5 s and 10 s.
    for (const text of await Promise.all([raw('GET / HTTP/1.1\r\nHost: a\r\nX:'), raw(body)]))
      expect(text).toMatch(/^HTTP\/1.1 400 .*did not arrive in time/s);
  }, 60_000);

  it('is ready, and names a service that no process serves', async () => {
    await readyWith(200, {
      ready: true,
      missing: ['metrics'],
      checks: expect.objectContaining({
        postgres: { ok: true },
        nats: { ok: true },
        orchestrator: { ok: true },
        metrics: expect.objectContaining({ ok: false }),
      }),
    });
  });

  it('shows an outage of a service, and its end, in the metrics and on the ops port', async () => {
    const ops = async (path: string) => (await fetch(`http://127.0.0.1:${service.opsPort}${path}`)).text();
    const shown = async () =>
      /^novacron_degraded\{dependency="orchestrator"\} (\d)/m.exec(await ops('/metrics'))?.[1];
    await eventually(async () => expect(await shown()).toBe('0'));
    await nc.close();
    await eventually(async () => expect(await shown()).toBe('1'), 30_000);
    expect(JSON.parse(await ops('/ready'))).toMatchObject({
      ready: true,
      status: 'degraded',
      checks: { orchestrator: { ok: false, detail: 'nobody serves it' } },
    });
    nc = await connectNats({ ...servers.natsLogin('orchestrator'), name: 'fake-orchestrator' });
    orchestrator = new FakeOrchestrator(nc);
    await nc.flush();
    await eventually(async () => expect(await shown()).toBe('0'), 30_000);
  });

  it('is not ready without NATS, and answers 503 with Retry-After in bounded time', async () => {
    await servers.nats.kill();
    try {
      const answer = await fetch(url('/api/v1/vms'), as(seeded.token));
      expect(answer.status).toBe(503);
      // One that waited for its deadline would say deadline_exceeded.
      expect(await answer.json()).toMatchObject({ code: 'dependency_down' });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      await readyWith(503, { ready: false, missing: expect.arrayContaining(['nats']) });
    } finally {
      await servers.nats.start();
    }
  });

  it('serves again by itself when NATS returns', async () => {
    await eventually(async () =>
      expect((await fetch(url('/api/v1/vms'), as(seeded.token))).status).toBe(200),
    );
  });
});
