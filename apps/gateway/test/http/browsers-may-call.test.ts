import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { operations } from '@novacron/contracts/operations/all';
import { PUBLIC_PATHS } from '../../src/auth/unrouted.js';
import { TestGateway } from '../support/gateway.js';

/** The origin that the test's gateway allows. */
const CONSOLE = 'https://console.example.org';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

const preflight = (path: string, method: string, origin = CONSOLE) =>
  fetch(gateway.url + path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization, idempotency-key',
    },
  });
const authorized = () => ({ authorization: `Bearer ${gateway.token()}` });
const filled = (path: string) =>
  path
    .replaceAll('{verb}', 'start')
    .replaceAll('{action}', 'cordon')
    .replaceAll(/\{\w+\}/g, newId<string>());

describe('a page of an allowed origin', () => {
  it.each(operations.map(({ method, path }) => [method, path]))(
    'may send %s %s: its preflight needs no token',
    async (method, path) => {
      const answer = await preflight(filled(path), method);
      expect(answer.status).toBe(204);
      expect(answer.headers.get('access-control-allow-origin')).toBe(CONSOLE);
      expect(answer.headers.get('access-control-allow-methods')?.split(', ')).toContain(method);
      const allowed = answer.headers.get('access-control-allow-headers')?.toLowerCase().split(', ');
      expect(allowed).toEqual(expect.arrayContaining(['authorization', 'idempotency-key', 'if-match']));
    },
  );

  it('may read answers, errors and answers out of memory, with their headers', async () => {
    const { json: vm } = await gateway.ask('POST', '/api/v1/vms', {
      body: { name: 'read-1', config: { cpu: 1, memory: 512, disk: 5, image: 'ubuntu-22.04' } },
    });
    const paths = [`/api/v1/vms/${vm.id}`, `/api/v1/vms/${vm.id}`, '/api/v1/vms', '/api/v1/none', '/'];
    for (const path of paths) {
      const answer = await fetch(gateway.url + path, { headers: { ...authorized(), origin: CONSOLE } });
      await answer.arrayBuffer();
      expect([path, answer.headers.get('access-control-allow-origin')]).toEqual([path, CONSOLE]);
      expect(answer.headers.get('access-control-expose-headers')).toContain('NovaCron-Consistency-Token');
    }
    const refused = await fetch(`${gateway.url}/api/v1/vms`, { headers: { origin: CONSOLE } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, CONSOLE]);
    expect(refused.headers.get('vary')).toContain('Origin');
  });
});

describe('an answer that a shared cache may keep', () => {
  it.each([...PUBLIC_PATHS, '/docs/static/none.js', '/errors/not_found'])(
    'varies by Origin for every client: %s',
    async (path) => {
      for (const headers of [{}, { origin: CONSOLE }, { origin: 'https://elsewhere.example' }]) {
        const answer = await fetch(gateway.url + path, { headers, redirect: 'manual' });
        await answer.arrayBuffer();
        expect(answer.headers.get('vary')?.split(', ')).toContain('Origin');
      }
    },
  );

  it('still varies by its other headers', async () => {
    const vary = async (path: string) => (await fetch(gateway.url + path)).headers.get('vary');
    expect(await vary('/')).toBe('Accept, Origin');
    expect(await vary('/openapi.json')).toBe('Accept-Encoding, Origin');
  });
});

describe('a page of another origin', () => {
  it('may call nothing', async () => {
    const asked = await preflight('/api/v1/vms', 'GET', 'https://elsewhere.example');
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([401, null]);
    const headers = { ...authorized(), origin: 'https://elsewhere.example' };
    const answer = await fetch(`${gateway.url}/api/v1/vms`, { headers });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('HEAD', () => {
  const gets = [
    ...operations.filter(({ method }) => method === 'GET').map(({ path }) => path),
    ...PUBLIC_PATHS,
  ];
  // A wait has no answer for a VM that does not exist either way.
  it.each(gets)('of %s has the status and headers of GET, and no body', async (path) => {
    const url = gateway.url + filled(path);
    const get = await fetch(url, { headers: authorized() });
    await get.arrayBuffer();
    const head = await fetch(url, { method: 'HEAD', headers: authorized() });
    expect([head.status, head.headers.get('content-type')]).toEqual([
      get.status,
      get.headers.get('content-type'),
    ]);
    expect((await head.arrayBuffer()).byteLength).toBe(0);
  });

  it('is named where a GET is offered', async () => {
    const answer = await gateway.ask('PATCH', '/api/v1/vms', { body: {} });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD']);
  });
});

describe('a browser', () => {
  it('is redirected from / to the documentation, unlike a program', async () => {
    const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    const page = await fetch(`${gateway.url}/`, { headers: { accept }, redirect: 'manual' });
    expect([page.status, page.headers.get('location'), page.headers.get('vary')]).toEqual([
      302,
      '/docs',
      expect.stringContaining('Accept'),
    ]);
    for (const other of ['*/*', 'application/json']) {
      const answer = await fetch(`${gateway.url}/`, { headers: { accept: other }, redirect: 'manual' });
      expect([answer.status, ((await answer.json()) as { api: string }).api]).toEqual([200, '/api/v1']);
    }
  });

  it('finds an icon', async () => {
    const icon = await fetch(`${gateway.url}/favicon.ico`);
    expect([icon.status, icon.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(
      Buffer.from(await icon.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
  });
});
