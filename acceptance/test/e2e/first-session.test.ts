import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { note } from '@novacron/testkit/note';
import type { RunningStack } from '@novacron/testkit/running-stack';
import { TestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import { useAnyStack } from '../support/any-stack.js';
import { composeSetting } from '../support/compose-settings.js';
import { type ApiResponse, Api, apiOf, guideBody, type ProblemBody, type VmBody } from './support/api.js';
import { hostsOf } from './support/burst.js';
import { ask } from './support/database.js';
import { type Guest, guestsOfHosts } from './support/hosts.js';
import { type SecondTenant, secondTenant } from './support/second-tenant.js';

let stack: RunningStack;
let api: Api;
let hostCount: number;
let other: SecondTenant;

beforeAll(async () => {
  stack = await useAnyStack({ simHosts: 4 });
  api = apiOf(stack, stack.token);
  hostCount = (await hostsOf(stack)).filter(({ zone }) => zone === 'sim').length;
  other = await secondTenant(stack);
});

afterAll(() => stack?.remove());

const token = (answer: ApiResponse<unknown>) => ({
  'NovaCron-Consistency-Token': answer.headers.get('novacron-consistency-token') ?? '',
});

function expectProblem(answer: ApiResponse<unknown>, status: number, code: string): ProblemBody {
  expect({
    status: answer.status,
    type: answer.headers.get('content-type'),
    body: answer.body,
  }).toMatchObject({
    status,
    type: 'application/problem+json',
    body: {
      status,
      code,
      title: expect.any(String),
      detail: expect.any(String),
      requestId: answer.headers.get('x-request-id'),
    },
  });
  return answer.body as ProblemBody;
}

async function running(name: string): Promise<ApiResponse<VmBody>> {
  const created = await api.create(guideBody(name));
  expect(created.status).toBe(201);
  const reached = await api.wait(created.body.id, 'running');
  expect(reached).toMatchObject({ status: 200, body: { state: 'running' } });
  return reached;
}

describe("the guide's POST", () => {
  it('answers 201 with Location, ETag and the VM, which reaches running', async () => {
    const created = await api.create(guideBody('web-1'));
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(`/api/v1/vms/${created.body.id}`);
    expect(created.headers.get('etag')).toMatch(/^"\d+"$/);
    expect(created.body).toMatchObject({
      ...guideBody('web-1'),
      state: 'pending',
      task: { jobId: expect.any(String) },
    });
    const reached = await api.wait(created.body.id, 'running');
    expect(reached).toMatchObject({
      status: 200,
      body: { state: 'running', zone: 'sim', hostId: expect.any(String), task: null },
    });
    const job = await api.get<{ status: string; history: unknown[] }>(
      `/api/v1/jobs/${created.body.task?.jobId}`,
    );
    expect(job.body).toMatchObject({ status: 'succeeded' });
    const placement = await api.get(`/api/v1/vms/${created.body.id}/placement`);
    expect(placement.body).toMatchObject({ hostId: reached.body.hostId, candidates: hostCount });
  });

  it('gives a VM whose ETag answers 304 while it is current, and 412 for a change of an older version', async () => {
    const vm = await running('etag-1');
    const etag = vm.headers.get('etag') ?? '';
    expect((await api.vm(vm.body.id, { 'If-None-Match': etag })).status).toBe(304);
    const path = `/api/v1/vms/${vm.body.id}`;
    const patched = await api.send<VmBody>('PATCH', path, { tags: { tier: 'web' } }, { 'If-Match': etag });
    expect(patched).toMatchObject({ status: 200, body: { tags: { tier: 'web' } } });
    expect((await api.vm(vm.body.id, { 'If-None-Match': etag, ...token(patched) })).status).toBe(200);
    expectProblem(
      await api.send('PATCH', path, { name: 'etag-2' }, { 'If-Match': etag }),
      412,
      'precondition_failed',
    );
  });

  it('gives a VM that lists show, page by page and by filter', async () => {
    for (const name of ['page-1', 'page-2', 'page-3']) await running(name);
    const first = await api.get<{ items: VmBody[]; nextCursor: string }>(
      '/api/v1/vms?namePrefix=page-&limit=2&sort=name',
    );
    expect(first.body.items.map(({ name }) => name)).toEqual(['page-1', 'page-2']);
    const next = encodeURIComponent(first.body.nextCursor);
    const second = await api.get<{ items: VmBody[]; nextCursor: null }>(
      `/api/v1/vms?namePrefix=page-&limit=2&sort=name&cursor=${next}`,
    );
    expect(second.body).toMatchObject({ items: [{ name: 'page-3' }], nextCursor: null });
    expect(
      (await api.get<{ items: unknown[] }>('/api/v1/vms?namePrefix=page-&state=stopped')).body.items,
    ).toEqual([]);
  });

  it('gives a VM that is deleted with 202, and then is gone from the API and from its host', async () => {
    const { body: vm } = await running('gone-1');
    const deleted = await api.remove(vm.id);
    expect(deleted).toMatchObject({ status: 202, headers: expect.anything() });
    expect(deleted.headers.get('location')).toMatch(/^\/api\/v1\/jobs\//);
    await readUntil(
      () => api.vm(vm.id),
      ({ status }) => status === 404,
    );
    const hosts = (await hostsOf(stack)).map(({ id }) => id);
    const has = async (): Promise<Guest[]> =>
      (await guestsOfHosts(stack.env()['NOVACRON_NATS_ADMIN_URL'] ?? '', hosts)).get(vm.id) ?? [];
    expect((await has()).filter(({ power }) => power !== 'absent')).toEqual([]);
    expect((await api.create(guideBody('gone-1'))).status).toBe(201);
  });

  it('gives a VM that stops, starts, pauses and resumes', async () => {
    const { body: vm } = await running('life-1');
    for (const [verb, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['stop', 'stopped'],
      ['start', 'running'],
      ['force-stop', 'stopped'],
    ] as const) {
      expect({ verb, status: (await api.act(vm.id, verb)).status }).toEqual({ verb, status: 202 });
      expect((await api.wait(vm.id, state)).body).toMatchObject({ state });
      expect({ verb, status: (await api.act(vm.id, verb)).status }).toEqual({ verb, status: 200 });
    }
  });

  it('returns the first answer and creates one VM when it is repeated with its Idempotency-Key', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const first = await api.create(guideBody('again-1'), key);
    const second = await api.create(guideBody('again-1'), key);
    expect(second).toMatchObject({ status: 201, body: { id: first.body.id } });
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(await api.create(guideBody('again-2'), key), 422, 'idempotency_mismatch');
    expect(await api.list('again-')).toHaveLength(1);
  });

  it('creates one VM when many requests with one key arrive at once', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.create(guideBody('rush-1'), key)));
    const refused = answers.filter(({ status }) => status !== 201);
    for (const answer of refused) expectProblem(answer, 409, 'idempotency_in_progress');
    expect(new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.id)).size).toBe(1);
    expect(await api.list('rush-')).toHaveLength(1);
  });
});

describe('documents', () => {
  it('describe the API: OpenAPI 3.1, and a page that shows it', async () => {
    const openapi = await api.get<{ openapi: string; paths: Record<string, unknown> }>('/openapi.json');
    expect(openapi.body.openapi).toMatch(/^3\.1/);
    expect(Object.keys(openapi.body.paths)).toEqual(
      expect.arrayContaining(['/api/v1/vms', '/api/v1/vms/{id}/metrics']),
    );
    const page = await api.get('/docs');
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);
    expect((await api.get('/health')).status).toBe(200);
    expect((await api.get('/ready')).status).toBe(200);
  });
});

describe('bad input is answered with a problem', () => {
  it('400 for a body that is not JSON', async () => {
    expectProblem(await api.create('{"name":'), 400, 'malformed_json');
  });

  it('422 for wrong fields, naming each', async () => {
    const body = { name: 'Not A Name', config: { cpu: 0, memory: 'much', disk: 50 }, color: 'red' };
    const { errors = [] } = expectProblem(await api.create(body), 422, 'invalid_request');
    const paths = errors.map(({ path }) => path.replace(/^\/body/, '')).sort();
    expect(paths).toEqual(['/color', '/config/cpu', '/config/image', '/config/memory', '/name']);
  });

  it('422 for text that a database cannot store, without harm to concurrent creates', async () => {
    const bad = { ...guideBody('poison-1'), tags: { tier: 'a\0b' } };
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, (_, index) => api.create(guideBody(`beside-${index}`))),
      api.create(bad),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 10 }, () => 201), 422]);
    for (const query of ['/vms?namePrefix=%00', '/vms?tag=a%3D%00', '/vms?image=%00', '/jobs?kind=%00'])
      expectProblem(await api.get(`/api/v1${query}`), 422, 'invalid_request');
  });

  it('422 for an unknown image or zone', async () => {
    const wrong = guideBody('wrong-1');
    expectProblem(
      await api.create({ ...wrong, config: { ...wrong.config, image: 'plan-9' } }),
      422,
      'unknown_image',
    );
    expectProblem(await api.create({ ...wrong, zone: 'mars' }), 422, 'unknown_zone');
    expect(await api.list('wrong-')).toEqual([]);
  });

  it('422 for an action that the driver does not support', async () => {
    const { body: vm } = await running('limits-1');
    expectProblem(await api.act(vm.id, 'migrate'), 422, 'capability_unsupported');
    expectProblem(await api.act(vm.id, 'suspend'), 422, 'capability_unsupported');
    expect((await api.vm(vm.id)).body).toMatchObject({ state: 'running', task: null });
  });

  it('401 without a token or with a wrong one', async () => {
    expectProblem(await new Api(stack.url, undefined).vm(randomUUID()), 401, 'unauthenticated');
    expectProblem(await new Api(stack.url, 'f'.repeat(64)).vm(randomUUID()), 401, 'unauthenticated');
  });

  it("404 for every request to another tenant's VM, which lists do not show", async () => {
    const { body: vm } = await running('secret-1');
    const stranger = other.api;
    const attempts = [
      stranger.vm(vm.id),
      stranger.send('PATCH', `/api/v1/vms/${vm.id}`, { name: 'mine' }),
      stranger.act(vm.id, 'stop'),
      stranger.remove(vm.id),
      stranger.wait(vm.id, 'running', 1),
      stranger.get(`/api/v1/vms/${vm.id}/placement`),
      stranger.get(`/api/v1/vms/${vm.id}/console/log`),
      stranger.get(`/api/v1/vms/${vm.id}/metrics/latest`),
      stranger.get(`/api/v1/vms/${vm.id}/metrics?metric=cpu_usage`),
    ];
    for (const answer of await Promise.all(attempts)) expectProblem(answer, 404, 'not_found');
    expect(await stranger.list('')).toEqual([]);
    expect((await api.vm(vm.id)).body).toMatchObject({ state: 'running', name: 'secret-1' });
    expect((await stranger.create(guideBody('secret-1'))).status).toBe(201);
  });

  it('409 for a name that is taken, and for more than the quota, with the remaining quota', async () => {
    await running('taken-1');
    expectProblem(await api.create(guideBody('taken-1')), 409, 'name_taken');
    // The API cannot lower a quota yet.
    const limit =
      'UPDATE orchestrator.quotas SET limit_vms = used_vms + $2, limit_cpu = used_cpu + 3 WHERE tenant_id = $1';
    await ask(stack.env()['NOVACRON_PG_ADMIN_URL'] ?? '', limit, [other.tenantId, 5]);
    expect((await other.api.create(guideBody('last-1'))).status).toBe(201);
    const { detail } = expectProblem(await other.api.create(guideBody('last-2')), 409, 'quota_exceeded');
    expect(detail).toMatch(/\b1\b/);
    const used = await other.api.get(`/api/v1/tenants/${other.tenantId}/quota`);
    expect(used).toMatchObject({ status: 200 });
  });

  it('state error with the reason when no host fits, and a placement that explains each host', async () => {
    const big = { name: 'giant-1', config: { cpu: 256, memory: 4_194_304, disk: 50, image: 'ubuntu-22.04' } };
    const created = await api.create(big);
    expect(created.status).toBe(201);
    const settled = await api.wait(created.body.id, 'error', 10);
    expect(settled.body).toMatchObject({
      state: 'error',
      lastError: { code: 'no_capacity', detail: expect.stringContaining('memory') },
    });
    const placement = await api.get(`/api/v1/vms/${created.body.id}/placement`);
    expect(placement.body).toMatchObject({
      hostId: null,
      rejections: expect.arrayContaining([expect.objectContaining({ filter: 'memory', hosts: hostCount })]),
    });
    expect((await api.remove(created.body.id)).status).toBe(202);
  });
});

describe('a consistency token', () => {
  it('shows its writer the write on every other read path', async () => {
    for (let round = 0; round < 5; round++) {
      const created = await api.create(guideBody(`token-${round}`));
      const seen = token(created);
      const stranger = new Api(stack.url, stack.operatorToken);
      const reads = await Promise.all([
        api.vm(created.body.id, seen),
        api.vm(created.body.id, { ...seen, 'NovaCron-Consistency': 'strong' }),
        api.get<{ items: VmBody[] }>(`/api/v1/vms?namePrefix=token-${round}`, seen),
        api.get(`/api/v1/jobs/${created.body.task?.jobId}`, seen),
      ]);
      expect(reads.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(reads[2].body.items.map(({ id }) => id)).toEqual([created.body.id]);
      for (const read of reads) expect(read.headers.get('novacron-consistency-token')).not.toBeNull();
      expect((await stranger.get('/api/v1/me')).status).toBe(200);
    }
  });

  it('is refused when it was tampered with', async () => {
    const good = token(await api.get('/api/v1/vms?limit=1'))['NovaCron-Consistency-Token'];
    const bad = `${good.slice(0, 20)}${good[20] === 'A' ? 'B' : 'A'}${good.slice(21)}`;
    expectProblem(await api.get('/api/v1/vms', { 'NovaCron-Consistency-Token': bad }), 422, 'invalid_token');
  });
});

// Skipped with containers, which have no home and no supervisor.
(composeSetting() === undefined ? describe : describe.skip)('the stack as a whole', () => {
  let local: TestStack;
  beforeAll(() => {
    if (!(stack instanceof TestStack)) throw new Error('not a local stack');
    local = stack;
  });

  const lines = (text: string) => text.trim().split('\n');

  it('refuses a second start in its home with one line', async () => {
    const second = await local.run('start');
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(lines(second.stderr)).toEqual([expect.stringMatching(/^novacron: NovaCron runs already in /)]);
  });

  it('ends on SIGTERM, and the next start reports an obstacle in one line', async () => {
    expect(await local.signal('SIGTERM')).toBe(0);
    expect(local.processes()).toEqual([]);

    const port = Number(new URL(stack.url).port);
    const stranger = createServer().listen(port, '127.0.0.1');
    const busy = await local.run('start', '--no-qemu');
    await new Promise((closed) => stranger.close(closed));
    expect(busy.code).toBe(1);
    expect(lines(busy.stderr).at(-1)).toMatch(
      new RegExp(`^novacron: port ${port} is taken by .+ \\(process ${process.pid}\\).*--port \\d+`),
    );

    const file = join(local.home, 'secrets', 'secrets.json');
    const good = readFileSync(file);
    truncateSync(file, 30);
    const damaged = await local.run('start', '--no-qemu');
    writeFileSync(file, good);
    expect(damaged.code).toBe(1);
    expect(lines(damaged.stderr).at(-1)).toMatch(/^novacron: .*secrets\.json is damaged.*reset/);
  });

  it('restarts from its state with every VM unchanged, also on its host', async () => {
    const startedAt = Date.now();
    await local.start();
    note(`a warm start took ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
    const web = (await api.list('web-1'))[0];
    expect(web).toMatchObject({ state: 'running', task: null });
    expect((await api.create(guideBody('after-1'))).status).toBe(201);
    const guests = await guestsOfHosts(
      stack.env()['NOVACRON_NATS_ADMIN_URL'] ?? '',
      (await hostsOf(stack)).map(({ id }) => id),
    );
    expect(guests.get(web?.id ?? '')).toEqual([{ hostId: web?.hostId, power: 'running' }]);
  });
});
