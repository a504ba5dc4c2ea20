import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS } from '@novacron/contracts/errors';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

describe('without a token', () => {
  it.each([
    '/',
    '/health',
    '/ready',
    '/openapi.json',
    '/docs',
    '/docs/swagger-ui-bundle.js',
    '/docs/swagger-ui.css',
    '/docs/start.js',
  ])('%s is served', async (path) => {
    const answer = await gateway.ask('GET', path, { token: null });
    expect(answer.status).toBe(200);
    expect(answer.text.length).toBeGreaterThan(10);
  });

  it('the documentation loads nothing from elsewhere', async () => {
    const page = await gateway.ask('GET', '/docs', { token: null });
    expect(page.text).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
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
