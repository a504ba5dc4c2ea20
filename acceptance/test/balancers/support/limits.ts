import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Balancer, type BalancerKind } from './balancer.js';
import { Client, json } from './client.js';
import type { Upstream } from './upstream.js';

const RATE = 20;
const as = (name: string) => ({ headers: { authorization: `Bearer ${name}` } });

/** The rate limits of requests without a token, with a token, and of waits and streams. */
export function limits(kind: BalancerKind, upstream: () => Upstream): void {
  let balancer: Balancer;
  let client: Client;
  beforeAll(async () => {
    const variables = { LB_TOKEN_RATE: String(RATE) };
    balancer = await Balancer.start(kind, { gateways: [upstream().address], variables });
    client = new Client(balancer.httpPort);
  });
  afterAll(async () => {
    client?.close();
    await balancer?.stop();
  });

  const ask = (count: number, path: string, asked = {}) =>
    Promise.all(Array.from({ length: count }, () => client.ask(path, asked)));
  const statuses = async (...asked: Parameters<typeof ask>) =>
    (await ask(...asked)).map(({ status }) => status).sort();

  it('a token has its rate and a burst of one second, and gets 429 with Retry-After beyond', async () => {
    expect(await statuses(RATE / 2, '/api/v1/vms', as('modest'))).toEqual(Array(RATE / 2).fill(200));
    // Ten times the rate of a second, so that the limit is exceeded even when sending takes seconds.
    const answers = await ask(RATE * 10, '/api/v1/vms', as('greedy'));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(RATE / 2);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'retry-after': '1',
      'x-request-id': expect.any(String),
    });
    expect(refused.map((answer) => json(answer).code)).toEqual(Array(refused.length).fill('rate_limited'));
    expect(await statuses(1, '/api/v1/vms', as('somebody-else'))).toEqual([200]);
  });

  it('waits and streams do not count against a token', async () => {
    for (const path of ['/api/v1/vms/v/wait', '/api/v1/jobs/j/wait'])
      expect(await statuses(RATE * 5, path, as('patient'))).toEqual(Array(RATE * 5).fill(200));
    expect(await statuses(1, '/api/v1/vms', as('patient'))).toEqual([200]);
  });

  it('an address without a token has a burst of 50 over all paths', async () => {
    const all = [
      ...(await statuses(30, '/api/v1/vms')),
      ...(await statuses(30, '/api/v1/vms/v/wait')),
      ...(await statuses(140, '/')),
    ];
    expect(all.filter((status) => status === 200).length).toBeGreaterThanOrEqual(50);
    expect(all.filter((status) => status === 429).length).toBeGreaterThan(0);
    // Requests with a token do not share the limit of their address.
    expect(await statuses(1, '/api/v1/vms', as('neighbour'))).toEqual([200]);
  });

  const preflight = {
    method: 'OPTIONS',
    headers: { origin: 'https://console.example.org', 'access-control-request-method': 'GET' },
  };

  it('preflights pass while the address is limited without a token', async () => {
    expect(await statuses(200, '/')).toContain(429);
    for (const path of ['/api/v1/vms', '/api/v1/vms/v/wait', '/ws/console'])
      expect(await statuses(10, path, preflight)).toEqual(Array(10).fill(200));
  });

  it('preflights have their own limit, and a page may read the refusal of the balancer', async () => {
    const refused = (await ask(2_000, '/api/v1/vms', preflight)).find(({ status }) => status === 429);
    expect(refused?.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'Retry-After, X-Request-Id',
    });
    const others = await ask(200, '/', { method: 'OPTIONS', headers: { origin: 'https://a.example' } });
    expect(others.map(({ status }) => status)).toContain(429);
  });
}
