import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { parseDuration } from '@novacron/contracts/duration';
import { operations } from '@novacron/contracts/operations/all';
import fc from 'fast-check';
import { z } from 'zod';
import { GUIDE_VM, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let vm = '';
beforeAll(async () => {
  gateway = await TestGateway.start();
  vm = (await gateway.ask('POST', '/api/v1/vms', { body: GUIDE_VM })).json.id;
});
afterAll(() => gateway?.stop());

/** Parameters that are numbers or durations, over all routes. */
const NUMBERS = operations.flatMap((route) =>
  Object.entries((route.query as z.ZodObject | undefined)?.shape ?? {})
    .filter(
      ([, schema]) =>
        (schema as z.ZodType).safeParse('7').success && typeof (schema as z.ZodType).parse('7') === 'number',
    )
    .map(([name]) => [`${route.id} ${name}`, route, name] as const),
);

describe('a number in a query', () => {
  it('is found in the route table', () => expect(NUMBERS.length).toBeGreaterThanOrEqual(6));

  it.each(NUMBERS)('is 422 when it is not one, with its name and its range: %s', async (_, route, name) => {
    const path = route.path.replace('{id}', newId());
    for (const wrong of ['many', '-1', '1e99', 'NaN', '0x']) {
      const answer = await gateway.ask(route.method, `${path}?${name}=${wrong}`, {
        token: gateway.token(route.access === 'platform' ? 'platform_operator' : 'owner'),
      });
      expect(answer.status).toBe(422);
      const named = answer.json.errors.find((error: { path: string }) => error.path === `/query/${name}`);
      expect(named.message).toMatch(/^(a whole number|seconds).* from \d+ to \d+/);
      expect(answer.text).not.toContain('NaN,');
    }
  });
});

describe('the timeout of a wait', () => {
  it.each(['0.001', '0', '1ms', '0.0015', '1.001ms'])(
    'is rounded to whole milliseconds: %s',
    async (timeout) => {
      const answer = await gateway.ask('GET', `/api/v1/vms/${vm}/wait?state=stopped&timeout=${timeout}`);
      expect([answer.status, answer.json.code]).toEqual([408, 'wait_timeout']);
    },
  );

  it('causes no other error: 1.001 is accepted', async () => {
    const answer = await gateway.ask('GET', `/api/v1/vms/${vm}/wait?state=stopped&timeout=1.001`);
    expect([answer.status, answer.json.code]).toEqual([408, 'wait_timeout']);
    expect(Number.isInteger(gateway.orchestrator.requests.at(-1)?.remainingMs)).toBe(true);
  });

  it.each(['61', '2m', '-1', 'soon', '1e1'])('beyond the longest wait is 422: %s', async (timeout) => {
    const answer = await gateway.ask('GET', `/api/v1/vms/${vm}/wait?state=stopped&timeout=${timeout}`);
    expect(answer.json.errors).toEqual([
      { path: '/query/timeout', message: 'seconds, or a duration as 30s, 5m or 1h, from 0 to 60 seconds' },
    ]);
  });
});

it('a duration is the sum of its parts in milliseconds', () => {
  const part = fc.tuple(fc.nat(1_000), fc.constantFrom('ms', 's', 'm', 'h', 'd', 'w'));
  const units: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const sum = parts.reduce((total, [count, unit]) => total + count * (units[unit] as number), 0);
      expect(parseDuration(parts.flat().join(''))).toBe(sum);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDuration(text);
      if (!Number.isNaN(ms)) expect(text).toMatch(/^[\d.mshdw]+$/);
    }),
  );
});
