import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '@novacron/messaging/connect';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { GUIDE_VM } from '../support/gateway.js';
import { endGatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { newSeed, seed } from '../support/process.js';
import { FakeOrchestrator } from '../support/fake-orchestrator.js';

let servers: TestServers;
let nc: NatsConnection;
let orchestrator: FakeOrchestrator;
let gateway: { child: ChildProcess; url: string; output: () => string };
const seeded = newSeed();

beforeAll(async () => {
  servers = await useTestServers({ nats: true, redis: true });
  await seed(servers, seeded);
  nc = await connectNats({ ...servers.natsLogin('orchestrator'), name: 'fake-orchestrator' });
  orchestrator = new FakeOrchestrator(nc);
  await nc.flush();
  gateway = await startGatewayProcess(servers);
});
afterAll(async () => {
  if (gateway !== undefined) await endGatewayProcess(gateway.child, 'SIGKILL');
  await nc?.close();
  await servers?.stop();
});

it('SIGTERM answers waits with 408 and requests in flight as usual, then exits with 0', async () => {
  const headers = { authorization: `Bearer ${seeded.token}`, 'content-type': 'application/json' };
  const create = (name: string) =>
    fetch(`${gateway.url}/api/v1/vms`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ ...GUIDE_VM, name }),
    });
  const vm = (await (await create('first')).json()) as { id: string };
  const waiting = fetch(`${gateway.url}/api/v1/vms/${vm.id}/wait?state=running&timeout=30`, { headers });
  await until(() => orchestrator.requests.length === 2);

  let answer = (): void => undefined;
  orchestrator.gate = new Promise((resolve) => (answer = resolve));
  const inFlight = Promise.all(Array.from({ length: 50 }, (_, i) => create(`vm-${i}`)));
  await until(() => orchestrator.requests.length === 52);
  const ended = endGatewayProcess(gateway.child);
  const waited = await waiting;
  answer();
  const created = await inFlight;
  const code = await ended;

  expect(waited.status).toBe(408);
  expect(((await waited.json()) as { code: string }).code).toBe('wait_timeout');
  expect(created.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 201));
  // 1 would say that something had to be left behind at the drain's bound.
  expect([code, gateway.output()]).toEqual([0, expect.any(String)]);
});
