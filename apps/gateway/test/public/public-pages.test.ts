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

  it('its files have their content in their name, and are kept for ever, by a CDN too', async () => {
    const page = await gateway.ask('GET', '/docs', { token: null });
    expect(page.headers.get('cache-control')).toBe('public, no-cache');
    const files = [...page.text.matchAll(/(?:src|href)="(.*?)"/g)].map(([, path]) => path as string);
    expect(files).toHaveLength(4);
    for (const path of files) {
      const file = await gateway.ask('GET', path, { token: null });
      expect([path, file.status]).toEqual([path, 200]);
      expect(path).toMatch(
        /^\/docs\/assets\/[\w-]+\.[0-9a-f]{16}\.(css|js|png)$|^\/docs\/assets\/favicon-32x32\./,
      );
      expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(file.text.length).toBeGreaterThan(10);
    }
  });

  it('a file of another version is a 404 that nobody keeps', async () => {
    const gone = await gateway.ask('GET', '/docs/assets/start.0123456789abcdef.js', { token: null });
    expect([gone.status, gone.headers.get('cache-control')]).toEqual([404, 'private, no-cache']);
  });

  it('what is asked of this process is not kept, and OpenAPI costs a 304 the second time', async () => {
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
