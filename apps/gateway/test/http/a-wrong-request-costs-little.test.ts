import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { operations } from '@novacron/contracts/operations/all';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

/** An answer to a request of any size is small, and says what is wrong. */
function expectSmallRefusal(answer: Answered, paths: readonly string[]): void {
  expect([answer.status, answer.json.code]).toEqual([422, 'invalid_request']);
  expect(answer.json.errors.map(({ path }: { path: string }) => path)).toEqual(paths);
  expect(answer.text.length).toBeLessThan(10_000);
}

const create = (body: unknown) => gateway.ask('POST', '/api/v1/vms', { body });
const fields = (n: number, value: unknown = 0): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [i, value]));

describe('a request with far too much in it', () => {
  it('is refused before its fields are validated when it has 90,000 tags', async () => {
    expectSmallRefusal(await create({ ...GUIDE_VM, tags: fields(90_000) }), ['']);
  });

  it('names the tags as a whole when there are slightly too many', async () => {
    const answer = await create({ ...GUIDE_VM, tags: fields(900) });
    expectSmallRefusal(answer, ['/tags']);
    expect(answer.json.errors[0].message).toBe('at most 50 entries, not 900');
  });

  it('has 20 of its wrong fields named and the others counted', async () => {
    const answer = await create({ ...GUIDE_VM, ...fields(900) });
    expectSmallRefusal(
      answer,
      Array.from({ length: 20 }, (_, i) => `/${i}`),
    );
    expect(answer.json.detail).toBe('900 fields are wrong: 20 are named, and 880 more.');
  });

  it('is refused before it is parsed when it has 800,000 fields or 4,000,000 brackets', async () => {
    const unknown = `{"series":[],${Array.from({ length: 800_000 }, (_, i) => `"${i}":1`).join(',')}}`;
    for (const body of [unknown.slice(0, 8_000_000), '['.repeat(4_000_000) + ']'.repeat(4_000_000)])
      expectSmallRefusal(await gateway.ask('POST', '/api/v1/metrics/ingest', { body }), ['']);
  });

  it('is refused before its parameters are parsed when it has too many', async () => {
    const parameters = (n: number) => Array.from({ length: n }, (_, i) => `p${i}=1`).join('&');
    const viewer = gateway.token('viewer');
    for (const n of [101, 1_500]) {
      const answer = await gateway.ask('GET', `/api/v1/vms?${parameters(n)}`, { token: viewer });
      expectSmallRefusal(answer, ['/query']);
    }
    const answer = await gateway.ask('GET', `/api/v1/vms?${parameters(100)}`, { token: viewer });
    expect(answer.json.detail).toBe('100 fields are wrong: 20 are named, and 80 more.');
  });

  it('is refused when one parameter lists too many values', async () => {
    const answer = await gateway.ask('GET', `/api/v1/vms?state=${Array(2_000).fill('x').join(',')}`);
    expectSmallRefusal(answer, ['/query/state']);
  });
});

describe('a push of points', () => {
  it('has 1,000 bad points named and the others counted', async () => {
    const points = [...Array(40_000).fill(['now', 1]), [Date.now(), 1]];
    const body = { series: [{ vmId: newId(), metric: 'x', points }] };
    const answer = await gateway.ask('POST', '/api/v1/metrics/ingest', { body });
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ accepted: 1, moreRejected: 39_000 });
    expect(answer.json.rejected).toHaveLength(1_000);
  });
});

/** Forms of excess that must cost little on every route. */
const EXCESSES: readonly (readonly [string, string])[] = [
  ['fields', JSON.stringify(fields(100_000))],
  ['items', JSON.stringify(Array(300_000).fill(0))],
  ['brackets', '['.repeat(500_000)],
  ['wrong fields', JSON.stringify(fields(900))],
  ['wrong items', JSON.stringify(Array(900).fill(0))],
];

describe.each(operations.map((route) => [route.id, route] as const))('%s', (_id, route) => {
  const path = route.path.replace('{verb}', 'start').replaceAll(/\{\w+\}/g, newId());

  it('answers a query of any size with a small refusal', async () => {
    const query = Array.from({ length: 100 }, (_, i) => `p${i}=${'1'.repeat(100)}`).join('&');
    const token = gateway.token('platform_operator');
    const answer = await gateway.ask(route.method, `${path}?${query}&x=1`, { token });
    expect(answer.text.length).toBeLessThan(10_000);
  });

  if (route.body !== undefined)
    it.each(EXCESSES)('answers a body of too many %s with a small refusal', async (_name, body) => {
      const token = gateway.token('platform_operator');
      const answer = await gateway.ask(route.method, path, { token, body });
      expect([answer.status, answer.json.errors.length <= 20]).toEqual([422, true]);
      expect(answer.text.length).toBeLessThan(10_000);
    });
});
