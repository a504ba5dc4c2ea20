import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { inheritedEnvironment } from '@novacron/local-stack/config';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import type { Summary } from '../../src/load/scenario.js';
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
  // Ten users for five seconds, with one to four seconds of think time: each sends several lists, far fewer than without.
  expect(results?.requests).toBeGreaterThan(10);
  expect(results?.requests).toBeLessThan(100);
  expect(results).toMatchObject({ profile: 'smoke', users: 10, failed: 0, errors: 0, passed: true });
  expect(results?.endpoints['http_req_duration{endpoint:list}']?.['p(95)']).toBeGreaterThan(0);
  const left = (await list()).filter(({ state }) => state !== 'deleting');
  expect(left).toEqual([]);
}, 120_000);

it('fails when its token is not known, with what was answered', async () => {
  const { code, stdout, results } = await runLoad(stack.url, 'no-such-token');
  expect(code).toBe(1);
  expect(stdout).toContain('list: 401');
  expect(results?.thresholds.filter(({ ok }) => !ok).map(({ metric }) => metric)).toContain(
    'http_req_failed',
  );
}, 120_000);

it("is k6's script too: what k6 would call makes the same requests, deletes what it made, and reports the same", async () => {
  const env = {
    ...inheritedEnvironment(),
    BASE_URL: stack.url,
    AUTH_TOKEN: stack.token,
    PROFILE: 'smoke',
    DEMANDS: 'lossless',
    RESULTS: 'results.json',
  };
  const fakeK6 = join(import.meta.dirname, 'fake-k6.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [fakeK6], { env });
  const { summary, options } = JSON.parse(stdout) as {
    summary: Record<string, string>;
    options: { stages: unknown[]; thresholds: Record<string, string[]> };
  };
  expect(options.stages).toHaveLength(3);
  expect(options.thresholds).toMatchObject({
    http_req_duration: ['p(95)<1000'],
    http_req_failed: ['rate<0.01'],
  });
  expect(summary['stdout']).toMatch(/^create +6 /m);
  const results = JSON.parse(summary['results.json'] ?? '') as Summary;
  expect(results).toMatchObject({ tool: 'k6', failed: 0, errors: 0, users: 2 });
  expect(results.endpoints['http_req_duration{endpoint:list,peak:true}']?.['count']).toBe(6);
  expect((await list()).filter(({ state }) => state !== 'deleting')).toEqual([]);
}, 120_000);
