import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { GUIDE_VM, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let path: string;
let id: string;
let number = 0;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());
beforeEach(async () => {
  id = (await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: `vm-${++number}` } })).json.id;
  gateway.orchestrator.change(id, { state: 'running', task: null });
  path = `/api/v1/vms/${id}`;
});
const asked = () => gateway.orchestrator.requests.at(-1);

describe('reading', () => {
  it('answers the VM with its version as ETag, and 304 to a client that has it', async () => {
    const vm = await gateway.ask('GET', path);
    expect([vm.status, vm.json.id, vm.headers.get('etag')]).toEqual([200, id, '"2"']);
    for (const tag of ['"2"', 'W/"2"', '"1", "2"', '*']) {
      const same = await gateway.ask('GET', path, { headers: { 'if-none-match': tag } });
      expect([tag, same.status, same.text, same.headers.get('etag')]).toEqual([tag, 304, '', '"2"']);
    }
    expect((await gateway.ask('GET', path, { headers: { 'if-none-match': '"1"' } })).status).toBe(200);
  });

  it("of another tenant's VM is 404", async () => {
    const stranger = gateway.token('owner', newId<TenantId>());
    for (const [method, of] of [
      ['GET', path],
      ['PATCH', path],
      ['DELETE', path],
      ['POST', `${path}/actions/stop`],
      ['GET', `${path}/wait?state=running`],
    ] as const) {
      const answer = await gateway.ask(method, of, {
        token: stranger,
        ...(method === 'PATCH' ? { body: { name: 'mine' } } : {}),
      });
      expect([method, of, answer.status]).toEqual([method, of, 404]);
    }
  });

  it('lists with every filter, repeated or with commas', async () => {
    const query =
      'state=running,stopped&state=paused&tag=env=prod&tag=team&zone=sim&image=ubuntu-22.04&namePrefix=vm&sort=name&limit=7&cursor=abc&updatedSince=2026-11-23T17:30:00%2B01:00';
    expect((await gateway.ask('GET', `/api/v1/vms?${query}`)).status).toBe(200);
    expect(asked()?.body).toEqual({
      state: ['running', 'stopped', 'paused'],
      tag: ['env=prod', 'team'],
      zone: 'sim',
      image: 'ubuntu-22.04',
      namePrefix: 'vm',
      sort: 'name',
      limit: 7,
      cursor: 'abc',
      updatedSince: '2026-11-23T16:30:00.000Z',
    });
  });

  it('answers the placement', async () => {
    expect((await gateway.ask('GET', `${path}/placement`)).json).toMatchObject({ vmId: id, candidates: 3 });
  });

  it('answers the console log as text, and as JSON where Accept asks for it', async () => {
    const text = await gateway.ask('GET', `${path}/console/log`);
    expect([text.headers.get('content-type'), text.text]).toEqual([
      'text/plain; charset=utf-8',
      'NOVACRON-GUEST-UP\n',
    ]);
    const json = await gateway.ask('GET', `${path}/console/log?maxBytes=100`, {
      headers: { accept: 'application/json' },
    });
    expect(json.json).toEqual({ vmId: id, text: 'NOVACRON-GUEST-UP\n', truncated: false });
    expect(asked()?.body).toEqual({ id, maxBytes: 100 });
  });
});

describe('changing', () => {
  it('accepts a name and tags', async () => {
    const changed = await gateway.ask('PATCH', path, { body: { tags: { env: 'prod' } } });
    expect([changed.status, changed.json.tags, changed.headers.get('etag')]).toEqual([
      200,
      { env: 'prod' },
      '"3"',
    ]);
  });

  it('succeeds with If-Match of the present version, and is 412 with another', async () => {
    const body = { name: `renamed-${number}` };
    expect((await gateway.ask('PATCH', path, { body, headers: { 'if-match': '"2"' } })).status).toBe(200);
    for (const tag of ['"2"', 'W/"2"', '"not-a-version"']) {
      const answer = await gateway.ask('PATCH', path, { body, headers: { 'if-match': tag } });
      expect([tag, answer.status, answer.json.code]).toEqual([tag, 412, 'precondition_failed']);
    }
    expect((await gateway.ask('PATCH', path, { body, headers: { 'if-match': '*' } })).status).toBe(200);
    const present = (await gateway.ask('GET', path)).headers.get('etag') ?? '';
    const compressed = { 'if-match': `W/${present}` };
    expect((await gateway.ask('PATCH', path, { body, headers: compressed })).status).toBe(200);
    expect((await gateway.ask('PATCH', path, { body, headers: { 'if-match': 'unquoted' } })).status).toBe(
      422,
    );
  });

  it('succeeds with If-Match of several versions when the present one is among them', async () => {
    const patch = (tags: string) =>
      gateway.ask('PATCH', path, { body: { tags: { at: 'once' } }, headers: { 'if-match': tags } });
    expect((await patch('"1", "2-gzip"')).status).toBe(200);
    expect((await patch('"1", "2-gzip"')).status).toBe(412);
  });

  it('as a merge patch keeps the tags that it omits, and removes one by null', async () => {
    const merge = (body: unknown) =>
      gateway.ask('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } });
    expect((await merge({ name: `merged-${number}`, tags: { a: '1', b: null } })).status).toBe(200);
    expect(asked()?.body).toEqual({
      id,
      patch: { name: `merged-${number}`, tagChanges: { a: '1', b: null } },
    });
    await merge({ tags: null });
    expect(asked()?.body).toEqual({ id, patch: { tags: {} } });
    expect((await merge({ name: null })).json.errors[0].path).toBe('/name');
    const elsewhere = await gateway.ask('POST', `${path}/actions/stop`, {
      body: {},
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect([elsewhere.status, elsewhere.json.code]).toEqual([415, 'unsupported_media_type']);
  });

  it('refuses a tag named __proto__ by its name, as a new VM does', async () => {
    const tags = '{"tags":{"a":"1","__proto__":"x"}}';
    const created = `{"name":"proto",${JSON.stringify({ config: GUIDE_VM.config }).slice(1, -1)},${tags.slice(1)}`;
    for (const [method, url, body] of [
      ['PATCH', path, tags],
      ['POST', '/api/v1/vms', created],
    ] as const) {
      const answer = await gateway.ask(method, url, { body });
      expect([answer.status, answer.json.errors?.[0].path]).toEqual([422, '/tags/__proto__']);
    }
    const field = await gateway.ask('PATCH', path, { body: '{"name":"x","__proto__":{}}' });
    expect([field.status, field.json.errors?.[0].path]).toEqual([422, '/__proto__']);
  });

  it('of nothing, or of the configuration, is 422', async () => {
    expect((await gateway.ask('PATCH', path, { body: {} })).status).toBe(422);
    const config = await gateway.ask('PATCH', path, { body: { config: { cpu: 8 } } });
    expect(config.json.errors[0].path).toBe('/config');
  });
});

describe('an action', () => {
  it("is 202 with its job and the job's Location", async () => {
    const answer = await gateway.ask('POST', `${path}/actions/stop`);
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({ vmId: id, kind: 'stop', status: 'running' });
    expect(answer.headers.get('location')).toBe(`/api/v1/jobs/${answer.json.id}`);
    expect(asked()?.body).toMatchObject({ action: 'stop', options: { graceSeconds: 30 } });
  });

  it('is 200 with the VM when the VM is in its state already', async () => {
    const answer = await gateway.ask('POST', `${path}/actions/start`, { body: {} });
    expect([answer.status, answer.json.state]).toEqual([200, 'running']);
  });

  it('accepts options, If-Match and an Idempotency-Key of this VM', async () => {
    const headers = { 'if-match': '"2"', 'idempotency-key': 'k1' };
    await gateway.ask('POST', `${path}/actions/stop`, { body: { graceSeconds: 5 }, headers });
    expect(asked()?.body).toEqual({ id, action: 'stop', options: { graceSeconds: 5 }, ifMatch: 2 });
    expect(asked()?.idempotency).toMatchObject({ key: 'k1', route: `POST ${path}/actions/stop` });
  });

  it('is 404 when it is unknown, and 409 when the state does not allow it', async () => {
    expect((await gateway.ask('POST', `${path}/actions/explode`)).status).toBe(404);
    expect((await gateway.ask('POST', `${path}/actions/delete`)).status).toBe(404);
    expect((await gateway.ask('POST', `${path}/actions/resume`, {})).status).toBe(200);
    expect((await gateway.ask('POST', `${path}/actions/rebuild`)).status).toBe(409);
  });

  it('with Prefer: wait answers 200 when its job has succeeded, 202 when it has not', async () => {
    const ending = (status: 'succeeded' | 'failed') => {
      const before = gateway.orchestrator.jobs.size;
      const looking = setInterval(() => {
        if (gateway.orchestrator.jobs.size === before) return;
        clearInterval(looking);
        const job = [...gateway.orchestrator.jobs.values()].at(-1);
        gateway.orchestrator.change(id, {
          state: status === 'succeeded' ? 'stopped' : 'running',
          task: null,
        });
        if (job) gateway.orchestrator.endJob(job.id, status);
      }, 50);
    };
    ending('succeeded');
    const done = await gateway.ask('POST', `${path}/actions/stop`, { headers: { prefer: 'wait=30' } });
    expect([done.status, done.json.state, done.headers.get('preference-applied')]).toEqual([
      200,
      'stopped',
      'wait=30',
    ]);
    ending('failed');
    const failed = await gateway.ask('POST', `${path}/actions/start`, { headers: { prefer: 'wait=30' } });
    expect([failed.status, failed.json.status]).toEqual([202, 'failed']);
  });
});

describe('deleting', () => {
  it('is 202 with the job, and 204 when the VM is deleted already', async () => {
    const answer = await gateway.ask('DELETE', path);
    expect([answer.status, answer.json.kind]).toEqual([202, 'delete']);
    gateway.orchestrator.change(id, { state: 'deleted', task: null });
    const again = await gateway.ask('DELETE', path);
    expect([again.status, again.text]).toEqual([204, '']);
  });
});
