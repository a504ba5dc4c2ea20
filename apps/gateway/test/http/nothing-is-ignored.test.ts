import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { operations } from '@novacron/contracts/operations/all';
import { metricsText } from '@novacron/telemetry/metrics';
import { TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start({ address: { burst: 20, perMinute: 1 } });
});
afterAll(() => gateway?.stop());

const withoutBody = operations.filter(({ body, method }) => body === undefined && method !== 'GET');

describe('a route that takes no body', () => {
  it.each(withoutBody.map((route) => [route.id, route] as const))('refuses one: %s', async (_, route) => {
    const path = route.path.replace('{id}', newId()).replace('{action}', 'cordon');
    const answer = await gateway.ask(route.method, path, {
      token: gateway.token(route.access === 'platform' ? 'platform_operator' : 'owner'),
      body: { force: true },
    });
    expect([answer.status, answer.json.code]).toEqual([422, 'invalid_request']);
    expect(answer.json.errors[0].path).toBe(route.method === 'DELETE' ? '' : '/force');
  });
});

describe('an id of any length', () => {
  const withId = operations.filter(({ path }) => path.includes('{'));
  it.each(withId.map((route) => [route.id, route] as const))(
    'is a 4xx of its route: %s',
    async (_, route) => {
      for (const size of [201, 2_000, 7_000]) {
        const path = route.path.replaceAll(/\{\w+\}/g, 'x'.repeat(size));
        const answer = await gateway.ask(route.method, path, {
          token: gateway.token(route.access === 'platform' ? 'platform_operator' : 'owner'),
          ...(route.method === 'PATCH' ? { body: { tags: {} } } : {}),
        });
        expect([answer.status, answer.json.code]).toEqual([422, 'invalid_request']);
        expect(answer.json.errors[0].path).toMatch(/^\/path\//);
        expect(answer.text.length).toBeLessThan(2_000);
      }
    },
  );
});

/** The head of the answer to these lines of a request. */
function raw(...lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () =>
      socket.write(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`),
    );
    let text = '';
    socket.on('data', (data) => (text += data)).on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('a header that may occur once', () => {
  const bearer = () => `Authorization: Bearer ${gateway.token()}`;

  it.each(['Host', 'Authorization'])('is 400 when it occurs twice: %s', async (name) => {
    const twice = name === 'Host' ? 'host: b.example' : bearer().toLowerCase();
    for (const path of ['/api/v1/me', '/nothing', '/docs'])
      expect(await raw(`GET ${path} HTTP/1.1`, 'Host: a.example', bearer(), twice)).toMatch(
        /^HTTP\/1.1 400 [^]*"code":"malformed_request"/,
      );
  });

  it('is accepted once, beside others that occur twice', async () => {
    const list = ['If-None-Match: "a"', 'If-None-Match: "b"', 'Accept: a/b', 'Accept: c/d'];
    expect(await raw('GET /api/v1/me HTTP/1.1', 'Host: a.example', bearer(), ...list)).toMatch(
      /^HTTP\/1.1 200 /,
    );
  });
});

describe('a path that is not a URL', () => {
  it('is 400, counted in the metrics, and limited by its address', async () => {
    const bad = () => raw('GET /api/v1/vms/%zz HTTP/1.1', 'Host: a.example');
    expect(await bad()).toMatch(/^HTTP\/1.1 400 [^]*"code":"malformed_request"/);
    const answers = await Promise.all(Array.from({ length: 25 }, bad));
    expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 429 ')).length).toBeGreaterThan(4);
    const metrics = await metricsText();
    expect(metrics).toMatch(
      /http_request_duration_seconds_count\{[^}]*endpoint="unmatched"[^}]*status_code="400"/,
    );
  });
});
