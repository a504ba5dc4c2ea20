import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { RateLimits } from '../../src/limits/rate-limits.js';
import { type Answered, GUIDE_VM, TestGateway } from '../support/gateway.js';

const PROXY = '127.0.0.1';
let gateway: TestGateway;
let beating: NodeJS.Timeout;
beforeAll(async () => {
  gateway = await TestGateway.start({
    redis: true,
    trustedProxies: [PROXY],
    address: { burst: 5, perMinute: 6 },
  });
  gateway.orchestrator.cacheable = true;
  gateway.orchestrator.servedFrom = 'replica';
  beating = setInterval(() => gateway.orchestrator.beat(), 20);
});
afterAll(async () => {
  clearInterval(beating);
  await gateway?.stop();
});

/** So slow that nothing comes back within a test, and so many at once. */
const limited = (name: string, rate: number) => gateway.token('owner', gateway.tenantId, name, rate);
const ask = async (count: number, path: string, asked: Parameters<TestGateway['ask']>[2]) => {
  const answers: Answered[] = [];
  for (let i = 0; i < count; i += 1) answers.push(await gateway.ask('GET', path, asked));
  return answers;
};
const statuses = (answers: readonly Answered[]) => answers.map(({ status }) => status);

describe('a token', () => {
  it('has a rate, learns the rest from each answer, and is 429 with Retry-After beyond it', async () => {
    // All at once: a bucket of 20 gives 20, and what comes back while they are asked.
    const token = limited('busy', 20);
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => gateway.ask('GET', '/api/v1/vms', { token })),
    );
    const good = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 429);
    expect(good.length + refused.length).toBe(200);
    expect(good.length).toBeGreaterThanOrEqual(20);
    expect(refused.length).toBeGreaterThan(0);
    for (const { headers, json } of refused) {
      expect([json.code, headers.get('retry-after')]).toEqual(['rate_limited', '1']);
      expect(headers.get('ratelimit')).toMatch(/^"token";r=0;t=[12]$/);
    }
    expect(good[0]?.headers.get('ratelimit-policy')).toBe('"token";q=20;w=1');
    expect(good[0]?.headers.get('ratelimit')).toMatch(/^"token";r=\d+;t=[0-2]$/);
  });

  it('is counted for answers of the L1 as well', async () => {
    const token = limited('cached', 1);
    const free = gateway.token();
    const created = await gateway.ask('POST', '/api/v1/vms', { body: GUIDE_VM });
    const path = `/api/v1/vms/${created.json.id}`;
    await eventually(async () => {
      expect((await gateway.ask('GET', path, { token: free })).headers.get('novacron-served-from')).toBe(
        'l1',
      );
    });
    const [first, ...others] = await ask(10, path, { token });
    expect([first?.status, first?.headers.get('novacron-served-from')]).toEqual([200, 'l1']);
    expect(first?.headers.get('ratelimit')).toMatch(/^"token";r=0;/);
    expect(statuses(others)).toContain(429);
  });

  it('is not counted for waits, nor at all without a limit', async () => {
    const token = limited('patient', 1);
    const id = '01890000-0000-7000-8000-000000000001';
    const waits = await ask(10, `/api/v1/vms/${id}/wait?state=running&timeout=0`, { token });
    expect(statuses(waits)).toEqual(Array(10).fill(404));
    const free = await ask(30, '/api/v1/me', {});
    expect(statuses(free)).toEqual(Array(30).fill(200));
    expect(free[0]?.headers.get('ratelimit')).toBeNull();
  });

  it('has one bucket at all gateways', async () => {
    const other = await gateway.another();
    const token = limited('everywhere', 50);
    const left = (answer: Answered) => Number(/r=(\d+)/.exec(answer.headers.get('ratelimit') ?? '')?.[1]);
    let spending = true;
    const spend = async () => {
      while (spending) {
        await Promise.all(Array.from({ length: 30 }, () => gateway.ask('GET', '/api/v1/me', { token })));
      }
    };
    const spent = spend();
    // The other gateway gives away a few of its own fifty: without the shared count it has at least forty left.
    const lefts: number[] = [];
    while (lefts.length < 10 && !lefts.some((some) => some < 25)) {
      lefts.push(left(await other.ask('GET', '/api/v1/me', { token })));
      await sleep(200);
    }
    spending = false;
    await spent;
    expect(Math.min(...lefts)).toBeLessThan(25);
  });

  it('is counted by each gateway alone while Redis is unreachable', async () => {
    await gateway.servers.redis.kill();
    const token = limited('alone', 5);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => gateway.ask('GET', '/api/v1/me', { token })),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(5);
    expect(statuses(answers)).toContain(429);
  });
});

describe('an address without a good token', () => {
  const from = (client: string, token: string | null = null) => ({
    token,
    headers: { 'x-forwarded-for': `203.0.113.200, ${client}` },
  });

  it('has a burst, then 429: without a token, with a wrong one, for pages, and without a route', async () => {
    const answers = [
      ...(await ask(2, '/api/v1/vms', from('198.51.100.1'))),
      ...(await ask(1, '/api/v1/vms', from('198.51.100.1', 'nvc_nobodyhasgotthistokenatallreally'))),
      ...(await ask(1, '/openapi.json', from('198.51.100.1'))),
      ...(await ask(1, '/nowhere', from('198.51.100.1'))),
    ];
    expect(statuses(answers)).toEqual([401, 401, 401, 200, 401]);
    const refused = [
      ...(await ask(1, '/api/v1/vms', from('198.51.100.1'))),
      ...(await ask(1, '/docs', from('198.51.100.1'))),
      ...(await ask(1, '/nowhere', from('198.51.100.1'))),
    ];
    expect(refused.map(({ status, json }) => [status, json?.code])).toEqual(
      Array(3).fill([429, 'rate_limited']),
    );
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(1);
  });

  it('is the one that a trusted proxy reports: it does not affect others, and a client cannot claim another', async () => {
    expect(statuses(await ask(6, '/', from('198.51.100.2')))).toEqual([200, 200, 200, 200, 200, 429]);
    expect(statuses(await ask(1, '/', from('198.51.100.3')))).toEqual([200]);
    const claims = { token: null, headers: { 'x-forwarded-for': '192.0.2.77, 198.51.100.2' } };
    expect(statuses(await ask(1, '/', claims))).toEqual([429]);
  });

  it('still may request /ready, and use a good token', async () => {
    await ask(6, '/', from('198.51.100.4'));
    expect(statuses(await ask(9, '/ready', from('198.51.100.4')))).toEqual(Array(9).fill(200));
    expect(statuses(await ask(9, '/api/v1/me', from('198.51.100.4', gateway.token())))).toEqual(
      Array(9).fill(200),
    );
  });

  it('is its whole /64 with IPv6, in any spelling', () => {
    const limits = new RateLimits({ burst: 1, perMinute: 1 }, () => 0);
    limits.takeAnonymous('2001:db8:0:1::5');
    expect(() => limits.takeAnonymous('2001:db8:0:1:ffff::9')).toThrow('rate_limited');
    expect(() => limits.takeAnonymous('2001:0DB8:0000:0001::7')).toThrow('rate_limited');
    expect(() => limits.takeAnonymous('2001:db8:0:2::5')).not.toThrow();
    expect(() => limits.takeAnonymous('::ffff:192.0.2.1')).not.toThrow();
    expect(() => limits.takeAnonymous('192.0.2.1')).toThrow('rate_limited');
  });
});

describe('without trusted proxies', () => {
  it('X-Forwarded-For is ignored', async () => {
    const direct = await TestGateway.start({ address: { burst: 3, perMinute: 6 } });
    const claimed = async (address: string) =>
      (await direct.ask('GET', '/', { token: null, headers: { 'x-forwarded-for': address } })).status;
    expect([await claimed('192.0.2.1'), await claimed('192.0.2.2'), await claimed('192.0.2.3')]).toEqual([
      200, 200, 200,
    ]);
    expect(await claimed('192.0.2.4')).toBe(429);
    await direct.stop();
  });
});
