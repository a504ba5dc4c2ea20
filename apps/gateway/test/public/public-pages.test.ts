import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS } from '@novacron/contracts/errors';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

describe('without a token', () => {
  it.each(['/', '/health', '/ready', '/openapi.json', '/docs'])('%s is served', async (path) => {
    const answer = await gateway.ask('GET', path, { token: null });
    expect(answer.status).toBe(200);
    expect(answer.text.length).toBeGreaterThan(10);
  });

  it('the documentation loads nothing from elsewhere', async () => {
    const page = await gateway.ask('GET', '/docs', { token: null });
    expect(page.text).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  });

  it('caches keep the files of the documentation, and ask for them each time', async () => {
    const page = await gateway.ask('GET', '/docs', { token: null });
    expect(page.headers.get('cache-control')).toBe('public, no-cache');
    const files = [...page.text.matchAll(/(?:src|href)="(.*?)"/g)].map(([, path]) => path as string);
    expect(files.length).toBeGreaterThanOrEqual(4);
    for (const path of files) {
      const file = await gateway.ask('GET', path, { token: null });
      expect([path, file.status]).toEqual([path, 200]);
      expect(path).toMatch(/^\/docs\/static\//);
      expect(file.headers.get('cache-control')).toBe('public, no-cache');
      expect(file.text.length).toBeGreaterThan(10);
    }
  });

  it('the documentation shows this very OpenAPI document', async () => {
    const shown = await gateway.ask('GET', '/docs/json', { token: null });
    expect(shown.json).toEqual((await gateway.ask('GET', '/openapi.json', { token: null })).json);
  });

  it('a file that the documentation does not have is a 404, which no cache keeps', async () => {
    const gone = await gateway.ask('GET', '/docs/static/start.js', { token: null });
    expect([gone.status, gone.headers.get('cache-control')]).toEqual([404, 'private, no-cache']);
  });

  it('no cache keeps the probes, and OpenAPI costs a 304 the second time', async () => {
    for (const path of ['/health', '/ready'])
      expect((await gateway.ask('GET', path, { token: null })).headers.get('cache-control')).toBe('no-store');
    const etag = (await gateway.ask('GET', '/openapi.json', { token: null })).headers.get('etag') ?? '';
    const again = await gateway.ask('GET', '/openapi.json', {
      token: null,
      headers: { 'if-none-match': `W/${etag}` },
    });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  it('every error code has its page', async () => {
    for (const code of Object.keys(ERRORS)) {
      const page = await gateway.ask('GET', `/errors/${code}`, { token: null });
      expect([code, page.status]).toEqual([code, 200]);
      expect(page.text).toContain(code);
    }
  });

  it('OpenAPI is version 3.1', async () => {
    expect((await gateway.ask('GET', '/openapi.json', { token: null })).json.openapi).toMatch(/^3\.1/);
  });
});
