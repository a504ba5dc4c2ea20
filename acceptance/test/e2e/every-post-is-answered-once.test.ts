import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import { type ApiResponse, Api, guideBody, type VmBody } from './support/api.js';
import { hostsOf } from './support/burst.js';
import { ask } from './support/database.js';

/** A POST operation of the gateway's OpenAPI document. */
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly $ref?: string; readonly name?: string; readonly schema?: Enum }[];
  readonly 'x-novacron-access': string;
}
interface Enum {
  readonly enum?: readonly string[];
}
interface Request {
  readonly by: Api;
  readonly path: string;
  readonly body?: unknown;
  readonly key: string;
}

let stack: TestStack;
let api: Api;
let operator: Api;
let operations: Operation[];
const sent: { readonly name: string; readonly request: Request; readonly first: ApiResponse<unknown> }[] = [];

beforeAll(async () => {
  stack = await useTestStack({ simHosts: 2, replica: false });
  api = new Api(stack.url, stack.token);
  operator = new Api(stack.url, stack.operatorToken);
  const { body } = await api.get<{ paths: Record<string, Record<string, Operation>> }>('/openapi.json');
  operations = Object.values(body.paths).flatMap(({ post }) => post ?? []);
});
afterAll(() => stack?.remove());

const takesKey = ({ parameters }: Operation) =>
  parameters.some(({ $ref }) => $ref?.endsWith('/Idempotency-Key') === true);
const choices = (id: string, name: string): readonly string[] =>
  operations.find(({ operationId }) => operationId === id)?.parameters.find((p) => p.name === name)?.schema
    ?.enum ?? [];

const STATES = ['running', 'stopped', 'paused'] as const;

async function vmIn(state: (typeof STATES)[number], name: string): Promise<VmBody> {
  const { body } = await api.create({ ...guideBody(name), autostart: state !== 'stopped' });
  expect(await api.wait(body.id, 'settled')).toMatchObject({ status: 200 });
  if (state === 'paused') await api.act(body.id, 'pause');
  expect(await api.wait(body.id, state)).toMatchObject({ status: 200 });
  return (await api.wait(body.id, 'settled')).body;
}

/** A job that waits for capacity, because its hosts are cordoned during its creation. */
async function waitingJob(name: string): Promise<string> {
  for (const { id } of await hostsOf(stack)) await operator.post(`/api/v1/hosts/${id}/actions/cordon`);
  const { body } = await api.create(guideBody(name));
  return body.task?.jobId as string;
}

async function uncordon(): Promise<void> {
  for (const { id } of await hostsOf(stack)) await operator.post(`/api/v1/hosts/${id}/actions/uncordon`);
}

type Prepared = Omit<Request, 'key' | 'by'>;

/** The preparation that makes each POST succeed. An operation without one fails the test. */
const PREPARATIONS: Record<string, () => Promise<readonly Prepared[]>> = {
  createVm: async () => [{ path: '/api/v1/vms', body: guideBody('once-created') }],
  actOnVm: async () => {
    const requests: Prepared[] = [];
    for (const state of STATES) {
      const { allowedActions } = await vmIn(state, `once-${state}`);
      for (const verb of allowedActions.filter((action) => action !== 'delete')) {
        const { id } = await vmIn(state, `once-${state}-${verb}`);
        requests.push({ path: `/api/v1/vms/${id}/actions/${verb}`, body: {} });
      }
    }
    return requests;
  },
  cancelJob: async () => [{ path: `/api/v1/jobs/${await waitingJob('once-cancelled')}/actions/cancel` }],
  retryJob: async () => {
    const job = await waitingJob('once-retried');
    await api.post(`/api/v1/jobs/${job}/actions/cancel`);
    await uncordon();
    return [{ path: `/api/v1/jobs/${job}/actions/retry` }];
  },
  actOnHost: async () => {
    const [host] = await hostsOf(stack);
    return choices('actOnHost', 'action').map((action) => ({
      path: `/api/v1/hosts/${host?.id}/actions/${action}`,
    }));
  },
  inviteHost: async () => [{ path: '/api/v1/hosts/invites', body: { zone: 'invited', driver: 'simulated' } }],
};

const send = ({ by, path, body, key }: Request, headers: Record<string, string> = {}) =>
  by.post(path, body, { 'Idempotency-Key': key, ...headers });

/** A join token is shown once. Everything else in an answer is repeated. */
const repeated = (body: unknown) =>
  typeof body === 'object' && body !== null && 'token' in body ? { ...body, token: null } : body;

/** A refusal is not stored and may change. The answer of a completed request is repeated word for word. */
function expectReplay(name: string, first: ApiResponse<unknown>, again: ApiResponse<unknown>): void {
  const told = { name, status: again.status, replayed: again.headers.get('idempotency-replayed') };
  expect({ ...told, body: again.body }).toEqual({
    name,
    status: first.status,
    replayed: 'true',
    body: repeated(first.body),
  });
}

describe('a POST that is sent twice with one Idempotency-Key', () => {
  it('has a preparation here or needs no key', () => {
    const names = (some: Operation[]) => some.map(({ operationId }) => operationId).sort();
    expect(names(operations.filter(takesKey))).toEqual(Object.keys(PREPARATIONS).sort());
    expect(names(operations.filter((operation) => !takesKey(operation)))).toEqual(['pushMetrics']);
  });

  it.each(Object.keys(PREPARATIONS))('runs once and gets the same answer: %s', async (id) => {
    const access = operations.find(({ operationId }) => operationId === id)?.['x-novacron-access'];
    const by = access === 'platform' ? operator : api;
    let done = 0;
    for (const prepared of await (PREPARATIONS[id] as () => Promise<readonly Prepared[]>)()) {
      const request = { ...prepared, by, key: randomUUID() };
      const first = await send(request);
      expect(first.headers.get('idempotency-replayed')).toBeNull();
      if (first.status >= 400) {
        // Unsupported by every driver, or invalid in this state, so refused both times.
        expect([request.path, (await send(request)).status]).toEqual([request.path, first.status]);
        continue;
      }
      done += 1;
      expectReplay(request.path, first, await send(request));
      sent.push({ name: request.path, request, first });
      if (request.body === undefined) continue;
      const other = await send({ ...request, body: { ...request.body, name: 'other', graceSeconds: 1 } });
      expect(other).toMatchObject({ status: 422 });
    }
    await uncordon();
    expect(done).toBeGreaterThan(0);
  });

  it('gets the same answer after the image was retired, the hosts cordoned, the quota used and the VMs deleted', async () => {
    const admin = stack.env()['NOVACRON_PG_ADMIN_URL'] as string;
    for (const { id } of await api.list('once-')) await api.remove(id);
    await readUntil(
      () => api.list('once-'),
      (left) => left.length === 0,
    );
    for (const { id } of await hostsOf(stack)) await operator.post(`/api/v1/hosts/${id}/actions/cordon`);
    await ask(admin, `UPDATE orchestrator.hosts SET images = '{retired}'`);
    await ask(admin, 'UPDATE orchestrator.quotas SET limit_vms = 0');
    await readUntil(
      () => api.create(guideBody('never')),
      ({ status, body }) => status === 422 && (body as unknown as { code: string }).code === 'unknown_image',
    );
    expect(sent.length).toBeGreaterThan(10);
    for (const { name, request, first } of sent) {
      expectReplay(name, first, await send(request));
      // With a wait the answer shows the current state.
      const waited = await send(request, { Prefer: 'wait=1' });
      const replayed = waited.headers.get('idempotency-replayed');
      expect([name, waited.status < 300, replayed]).toEqual([name, true, 'true']);
    }
  });
});
