import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { runLoad } from './run-load.js';

let stack: TestStack;

beforeAll(async () => {
  stack = await useTestStack({ simHosts: 2, replica: false });
}, 120_000);

afterAll(() => stack?.remove(), 60_000);

async function list(): Promise<{ name: string; state: string }[]> {
  const answer = await fetch(`${stack.url}/api/v1/vms?limit=500`, {
    headers: { authorization: `Bearer ${stack.token}` },
  });
  return ((await answer.json()) as { items: { name: string; state: string }[] }).items;
}

it('makes its requests, reports them, and leaves none of its VMs behind', async () => {
  const { code, stdout, results } = await runLoad(stack.url, stack.token);
  expect({ code, stdout }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(/all +\d+ .*\nlist +\d+ /);
  // Ten users for five seconds, who think for one to four: more than one list each, and far below no pause at all.
  expect(results?.requests).toBeGreaterThan(10);
  expect(results?.requests).toBeLessThan(100);
  expect(results).toMatchObject({ profile: 'smoke', users: 10, failed: 0, errors: 0, passed: true });
  expect(results?.endpoints['http_req_duration{endpoint:list}']?.['p(95)']).toBeGreaterThan(0);
  const left = (await list()).filter(({ state }) => state !== 'deleting');
  expect(left).toEqual([]);
}, 120_000);

it('fails when its token is not known, with what was answered', async () => {
  const { code, stdout, results } = await runLoad(stack.url, 'nobody');
  expect(code).toBe(1);
  expect(stdout).toContain('list: 401');
  expect(results?.thresholds.filter(({ ok }) => !ok).map(({ metric }) => metric)).toContain(
    'http_req_failed',
  );
}, 120_000);
