import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freeze } from '@novacron/testkit/freeze';
import { eventually } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';

let a: TestGateway;
let b: TestGateway;
let beating: NodeJS.Timeout;

beforeAll(async () => {
  a = await TestGateway.start({ redis: true });
  a.orchestrator.cacheable = true;
  a.orchestrator.servedFrom = 'replica';
  b = await a.another();
  beating = setInterval(() => a.orchestrator.beat(), 20);
});
afterAll(async () => {
  clearInterval(beating);
  await a?.stop();
});

const tokenOf = (answer: Answered) => answer.headers.get('novacron-consistency-token') as string;
const from = (answer: Answered) => answer.headers.get('novacron-served-from');
let names = 0;
async function newVm(): Promise<string> {
  const body = { ...GUIDE_VM, name: `vm-${names++}` };
  return `/api/v1/vms/${(await a.ask('POST', '/api/v1/vms', { body })).json.id}`;
}

describe('two gateways', () => {
  it('show no caller an older state than they wrote or observed on either, however late the events are', async () => {
    a.orchestrator.tellsAfterMs = () => 1 + Math.random() * 40;
    const path = await newVm();
    const stale: unknown[] = [];
    const levels = new Set<string | null>();
    const readers = Array.from({ length: 6 }, async (_, reader) => {
      let token: string | undefined;
      let known = 0;
      // Each caller has a credential of their own, so that the positions of others do not help.
      const credential = a.token('operator', a.tenantId, `reader-${reader}`);
      const deadline = performance.now() + 45_000;
      for (let step = 0; step < 120 || (levels.size < 3 && performance.now() < deadline); step += 1) {
        const gateway = Math.random() < 0.5 ? a : b;
        const headers = token === undefined ? {} : { 'novacron-consistency-token': token };
        const writes = Math.random() < 0.15;
        const list = Math.random() < 0.3;
        const answer = writes
          ? await gateway.ask('PATCH', path, {
              token: credential,
              headers,
              body: { tags: { step: `${step}` } },
            })
          : await gateway.ask('GET', list ? '/api/v1/vms' : path, { token: credential, headers });
        const items = answer.json.items as { id: string; version: number }[] | undefined;
        const { version } = items?.find(({ id }) => path.endsWith(id)) ?? answer.json;
        if (answer.status !== 200 || !(version >= known))
          stale.push({ step, version, known, from: from(answer) });
        known = version;
        token = tokenOf(answer);
        levels.add(from(answer));
        await sleep(Math.random() * 8);
      }
    });
    await Promise.all(readers);
    a.orchestrator.tellsAfterMs = () => 0;
    expect(stale).toEqual([]);
    expect([...levels].sort()).toEqual(['l1', 'l2', 'replica']);
  });

  it('share what one of them loaded', async () => {
    await eventually(async () => {
      const path = await newVm();
      await sleep(100);
      const loaded = await a.ask('GET', path);
      await sleep(50);
      const shared = await b.ask('GET', path, { token: a.token('viewer') });
      expect([from(shared), shared.text]).toEqual(['l2', loaded.text]);
    });
  });
});

describe('Redis', () => {
  it.each(['stopped', 'killed'])('that is %s costs bounded time, and recovers by itself', async (how) => {
    const path = await newVm();
    await (how === 'killed' ? a.servers.redis.kill() : freeze(a.servers.redis.pid));
    try {
      let slowest = 0;
      for (let i = 0; i < 20; i += 1) {
        const startedAt = performance.now();
        const answer = await b.ask('GET', path);
        expect(answer.status).toBe(200);
        const list = await b.ask('GET', `/api/v1/vms?limit=${i + 1}`);
        expect(list.status).toBe(200);
        slowest = Math.max(slowest, performance.now() - startedAt);
      }
      // Who waits for Redis waits until it is let go.
      expect(slowest).toBeLessThan(10_000);
    } finally {
      if (how === 'killed') await a.servers.redis.start();
      else process.kill(a.servers.redis.pid as number, 'SIGCONT');
    }
    let limit = 100;
    await eventually(async () => {
      await b.ask('GET', `/api/v1/vms?limit=${limit++}`);
      expect(b.cache.stats().l2?.available).toBe(true);
    });
  });
});
