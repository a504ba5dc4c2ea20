import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ReadRequest } from '@novacron/cache/cache';
import { newId } from '@novacron/contracts/ids';
import { exampleOf } from '@novacron/contracts/openapi/examples';
import { componentSchemas, inputSchema } from '@novacron/contracts/openapi/schemas';
import { takesKey, type OperationContract } from '@novacron/contracts/operation';
import { operations } from '@novacron/contracts/operations/all';
import { eventually } from '@novacron/testkit/wait';
import type { z } from 'zod';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';
import { HOST } from '../support/some-host.js';

let gateway: TestGateway;
let beating: NodeJS.Timeout;
/** An id that each route of the table knows, by the first noun of its path. */
const ids: Record<string, string> = {};
/** What the caches were asked for. */
const keys = new Set<string>();

beforeAll(async () => {
  gateway = await TestGateway.start();
  gateway.orchestrator.cacheable = true;
  const { cache } = gateway;
  const noted =
    <T>(look: (request: ReadRequest) => T) =>
    (request: ReadRequest): T => {
      keys.add(`${request.tenantId} ${request.type} ${request.id} ${request.group}`);
      return look(request);
    };
  cache.cached = noted(cache.cached.bind(cache));
  cache.read = noted(cache.read.bind(cache));
  beating = setInterval(() => gateway.orchestrator.beat(), 20);
});
afterAll(async () => {
  clearInterval(beating);
  await gateway?.stop();
});
beforeEach(async () => {
  const created = await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: `vm-${newId()}` } });
  gateway.orchestrator.change(created.json.id, { state: 'running', task: null });
  const job = gateway.orchestrator.startJob(gateway.tenantId, created.json.id, 'start');
  Object.assign(ids, { vms: created.json.id, jobs: job.id, hosts: HOST, tenants: gateway.tenantId });
});

const SPELLINGS: Record<string, (path: string, id: string) => string> = {
  'an id in upper case': (path, id) => path.replace(id, id.toUpperCase()),
  'an id that is percent-encoded': (path, id) =>
    path.replace(
      id,
      id.replaceAll('-', '%2D').replace(/^[0-9a-f]/, (c) => `%${c.charCodeAt(0).toString(16)}`),
    ),
  'a trailing slash': (path) => `${path}/`,
  'a percent-encoded noun': (path) =>
    path.replace(/(?<=\/api\/v1\/)./, (c) => `%${c.charCodeAt(0).toString(16)}`),
};

const QUERY: Record<string, string> = {
  waitForVm: '?state=settled&timeout=0',
  waitForJob: '?timeout=0',
  queryMetrics: '?metric=cpu_usage&from=1795974690000&to=1795978290000',
};

function pathOf(route: OperationContract): { path: string; id: string; query: string } {
  const id = ids[route.path.split('/')[3] as string] ?? '';
  const path = route.path.replace('{id}', id).replace('{verb}', 'stop').replace('{action}', 'cordon');
  return { path, id, query: QUERY[route.id] ?? '' };
}

/** The example that the OpenAPI document shows. */
const bodyFor = (body: z.ZodType) => exampleOf(inputSchema(body), componentSchemas());

const ask = (route: OperationContract, path: string, headers = {}): Promise<Answered> =>
  gateway.ask(route.method, path, {
    token: gateway.token(route.access === 'platform' ? 'platform_operator' : 'owner'),
    headers,
    ...(route.body === undefined ? {} : { body: bodyFor(route.body) }),
  });

const withId = operations.filter(({ path }) => path.includes('{id}'));
const cached = operations.filter(
  ({ path, answers, access }) => path.includes('{id}') && 304 in answers && access !== 'platform',
);
const keyed = operations.filter(takesKey);
const withoutId = ({ status, json }: Answered) => [status, { ...json, requestId: '' }];

describe.each(Object.entries(SPELLINGS))('%s', (_, spell) => {
  it.each(withId.map((route) => [route.id, route] as const))('has one answer of %s', async (_id, route) => {
    const { path, id, query } = pathOf(route);
    const plain = await ask(route, path + query);
    const other = await ask(route, spell(path, id) + query);
    expect([plain.status < 500, other.status < 500]).toEqual([true, true]);
    // The first of two changes may have made the second one unnecessary, or impossible.
    if (route.method === 'GET') expect(withoutId(other)).toEqual(withoutId(plain));
    else expect([404, 422]).not.toContain(other.status);
  });

  it.each(cached.map((route) => [route.id, route] as const))(
    'has one entry in the caches for %s',
    async (_id, route) => {
      const { path, id } = pathOf(route);
      const query = route.id === 'queryMetrics' ? '?metric=cpu_usage' : '';
      keys.clear();
      for (const url of [path, spell(path, id)]) expect((await ask(route, url + query)).status).toBe(200);
      expect([...keys].join()).toContain(id);
      expect(keys.size).toBe(1);
    },
  );

  it.each(keyed.map((route) => [route.id, route] as const))(
    'shares the Idempotency-Key of %s',
    async (_id, route) => {
      const { path, id } = pathOf(route);
      const stored = [];
      for (const url of [path, spell(path, id)]) {
        await ask(route, url, { 'idempotency-key': 'one' });
        stored.push(gateway.orchestrator.requests.at(-1)?.idempotency?.route);
      }
      expect(stored).toEqual([`${route.method} ${path}`, `${route.method} ${path}`]);
    },
  );
});

describe('a VM whose id is in upper case', () => {
  it('is gone for the caller who deleted it, with the token of the DELETE and after its event', async () => {
    const { vms: id = '' } = ids;
    const upper = `/api/v1/vms/${id.toUpperCase()}`;
    await eventually(async () => {
      const read = await gateway.ask('GET', upper);
      expect([read.status, read.headers.get('novacron-served-from')]).toEqual([200, 'l1']);
    });
    const deleted = await gateway.ask('DELETE', `/api/v1/vms/${id}`);
    gateway.orchestrator.change(id, { state: 'deleted', task: null });
    const token = deleted.headers.get('novacron-consistency-token') as string;
    const headers = { 'novacron-consistency-token': token };
    expect((await gateway.ask('GET', upper, { headers })).json.state).not.toBe('running');
    await eventually(async () =>
      expect((await gateway.ask('GET', upper, { token: gateway.token('viewer') })).status).toBe(404),
    );
  });
});

it('a filter by an id is one query in both spellings', async () => {
  const filters = { listVms: ['/api/v1/vms', 'hostId'], listJobs: ['/api/v1/jobs', 'vmId'] } as const;
  for (const [path, name] of Object.values(filters)) {
    const id = newId();
    await eventually(async () => {
      await gateway.ask('GET', `${path}?${name}=${id}`);
      const other = await gateway.ask('GET', `${path}?${name}=${id.toUpperCase()}`);
      expect([other.status, other.headers.get('novacron-served-from')]).toEqual([200, 'l1']);
    });
  }
});

it('a method that is not offered is 405 in every spelling of the path', async () => {
  for (const path of ['/api/v1/vms', '/api/v1/vms/', '/api/v1/%76ms']) {
    const answer = await gateway.ask('PUT', path, { body: {} });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD']);
  }
});
