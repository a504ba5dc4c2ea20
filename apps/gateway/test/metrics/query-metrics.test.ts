import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { rangeOf } from '../../src/metrics/range.js';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
const path = `/api/v1/vms/${newId()}/metrics`;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

describe('a range query', () => {
  it('accepts times in milliseconds and RFC 3339, metrics repeated or with commas', async () => {
    const query =
      'metric=cpu_usage&metric=memory_usage,x&from=1767225600000&to=2026-01-01T01:00:00Z&step=300&agg=max';
    const answer = await gateway.ask('GET', `${path}?${query}`);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ from: 1_767_225_600_000, to: 1_767_229_200_000, step: 300 });
    expect(gateway.metricsRequests.at(-1)?.body).toMatchObject({
      metric: ['cpu_usage', 'memory_usage', 'x'],
      agg: 'max',
    });
  });

  it('covers the last hour in about 120 averages by default', async () => {
    const before = Date.now();
    const { json } = await gateway.ask('GET', `${path}?metric=cpu_usage`);
    expect([json.from % 30_000, Math.floor((json.to - json.from) / 30_000)]).toEqual([0, 120]);
    expect(json.to).toBeGreaterThanOrEqual(before);
    expect([json.step, json.series[0].agg]).toEqual([30, 'avg']);
  });

  it.each([
    ['', '/query/metric'],
    ['metric=Bad', '/query/metric/0'],
    ['metric=x&from=yesterday', '/query/from'],
    ['metric=x&from=2000&to=1000', '/query/from'],
    ['metric=x&from=0&to=2026-01-01T00:00:00Z&step=1', '/query/step'],
    ['metric=x&agg=median', '/query/agg'],
    ['metric=x&resolution=5', '/query/resolution'],
  ])('with %s is 422 and names it', async (query, where) => {
    const answer = await gateway.ask('GET', `${path}?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.json.errors[0].path).toBe(where);
  });

  it('has the same buckets of the past at any time', () => {
    const now = 1_767_229_234_567;
    for (const given of [{}, { step: 7 }, { step: 86_400 }, { to: now - 1 }]) {
      for (const later of [0, 1, 999, 29_999, 123_456]) {
        const { from, step } = rangeOf(given, now + later);
        expect(from % (step * 1_000)).toBe(0);
        expect(from).toBeLessThanOrEqual((given.to ?? now + later) - 3_600_000);
      }
    }
    expect(rangeOf({ from: now - 60_000 }, now).from).toBe(now - 60_000);
  });

  it.each([
    ['300', 300],
    ['30s', 30],
    ['5m', 300],
    ['1h', 3_600],
    ['1h30m', 5_400],
    ['1.5m', 90],
    ['2000ms', 2],
  ])('takes a step of %s', async (step, seconds) => {
    const answer = await gateway.ask('GET', `${path}?metric=cpu_usage&step=${step}`);
    expect([answer.status, answer.json.step]).toEqual([200, seconds]);
  });

  it.each(['five', '5x', '0', '1.5', '500ms', '40d', '-5', '5 m', 'Infinity', '1e3', ''])(
    'names the unit of a step of %s',
    async (step) => {
      const answer = await gateway.ask('GET', `${path}?metric=cpu_usage&step=${encodeURIComponent(step)}`);
      const message = 'a whole number of seconds, or a duration as 30s, 5m or 1h, from 1 to 2678400 seconds';
      expect([answer.status, answer.json.errors]).toEqual([422, [{ path: '/query/step', message }]]);
    },
  );

  it('reports that a time before 2001 is probably in seconds', async () => {
    const answer = await gateway.ask('GET', `${path}?metric=cpu_usage&from=1767225600&to=1767229200`);
    expect(answer.status).toBe(422);
    expect(answer.json.errors.map(({ path: where }: { path: string }) => where)).toEqual([
      '/query/from',
      '/query/to',
    ]);
    for (const { message } of answer.json.errors) expect(message).toContain('probably in seconds');
    for (const from of ['0', '978307200000', '2000-01-01T00:00:00Z'])
      expect((await gateway.ask('GET', `${path}?metric=cpu_usage&from=${from}&step=31d`)).status).toBe(200);
  });

  it('names a step that is enough for its range', async () => {
    const answer = await gateway.ask(
      'GET',
      `${path}?metric=x&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z&step=1m`,
    );
    expect(answer.json.errors[0].message).toBe('at most 11000 points: take a step of 2867 seconds or more');
  });

  it('of any length has a step that keeps its points few', () => {
    for (const seconds of [1, 60, 3_600, 86_400, 86_400 * 30, 86_400 * 400]) {
      const { step } = rangeOf({ from: 0, to: seconds * 1_000 });
      expect(seconds / step).toBeLessThanOrEqual(120);
    }
  });
});

it('the latest values are answered unchanged', async () => {
  const { json } = await gateway.ask('GET', `${path}/latest`);
  expect(json.values).toEqual({ cpu_usage: { value: 42.5, timestamp: 1_767_225_600_000 } });
});
