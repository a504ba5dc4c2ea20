import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type ServiceProcess } from '@novacron/testkit/service-process';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { eventually } from '@novacron/testkit/wait';
import { endGatewayProcess, startGatewayProcess } from '../support/gateway-process.js';
import { newSeed, seed } from '../support/process.js';

/* The gateway and the orchestrator as processes, with a replica; the other two services are not there. */

let servers: TestServers;
let orchestrator: ServiceProcess;
let gateway: Awaited<ReturnType<typeof startGatewayProcess>>;
const seeded = newSeed();

beforeAll(async () => {
  servers = await useTestServers({ nats: true, redis: true, replica: true });
  await seed(servers, seeded);
  orchestrator = await startService('vm-orchestrator', servers.env('orchestrator'));
  gateway = await startGatewayProcess(servers);
});
afterAll(async () => {
  if (gateway) await endGatewayProcess(gateway.child);
  await orchestrator?.stop();
  await servers?.stop();
});

const get = async (path: string, token = seeded.operatorToken) => {
  const answer = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${token}` } });
  return {
    status: answer.status,
    from: answer.headers.get('novacron-served-from'),
    json: (await answer.json()) as ReturnType<typeof JSON.parse>,
  };
};

describe('GET /api/v1/replication', () => {
  it('shows each service’s servers with lag and share of reads, and names those that did not answer', async () => {
    for (let i = 0; i < 5; i += 1) await get('/api/v1/vms');
    const startedAt = performance.now();
    await get('/api/v1/replication');
    // Not the 10 s that an ordinary request may take.
    expect(performance.now() - startedAt).toBeLessThan(9_000);
    const { json } = await eventually(async () => {
      const answer = await get('/api/v1/replication');
      expect([answer.status, answer.json.missing]).toEqual([200, ['metrics', 'cache']]);
      expect(answer.json.services[1].servers).toMatchObject([
        { healthy: true, lagMs: 0 },
        { role: 'replica' },
      ]);
      return answer;
    });
    expect(json.services.map(({ service }: { service: string }) => service)).toEqual([
      'gateway',
      'orchestrator',
    ]);
    const { servers: seen } = json.services[1];
    expect(seen.map(({ role }: { role: string }) => role)).toEqual(['primary', 'replica']);
    expect(seen[0]).toMatchObject({ healthy: true, lagMs: 0, position: expect.stringMatching(/^\d+$/) });
    expect(seen[0].reads + seen[1].reads).toBeGreaterThanOrEqual(5);
    expect(seen[0].share + seen[1].share).toBeCloseTo(1);
  });
});

describe('GET /api/v1/cache/stats', () => {
  it('counts by level, and reports that no invalidator answers', async () => {
    // Without watermarks of an idle stack a reader's first answers may come from the owner.
    await eventually(async () => expect((await get('/api/v1/vms', seeded.token)).from).toBe('l1'));
    const { status, json } = await get('/api/v1/cache/stats');
    expect([status, json.invalidator]).toEqual([200, null]);
    expect(json.gateway.hits.l1).toBeGreaterThanOrEqual(1);
    expect(json.gateway.misses).toBeGreaterThanOrEqual(1);
    expect(json.gateway.l1.bytes).toBeGreaterThan(0);
    expect(json.gateway.lagMs).toBeLessThan(30_000);
    const text = await (
      await fetch(`http://127.0.0.1:${servers.env('gateway')['NOVACRON_OPS_PORT']}/metrics`)
    ).text();
    expect(text).toMatch(/^novacron_cache_hits_total\{level="l1"\} [1-9]/m);
    expect(text).toMatch(/^novacron_cache_misses_total [1-9]/m);
  });
});
