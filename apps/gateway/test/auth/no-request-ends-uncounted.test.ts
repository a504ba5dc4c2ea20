import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { TestGateway } from '../support/gateway.js';

const BURST = 1_000;
const id = newId();
const EMPTY: readonly (readonly [string, string])[] = [
  ['GET', '/api/v1/vms//wait?state=running'],
  ['GET', '/api/v1/vms//placement'],
  ['GET', '/api/v1/vms//'],
  ['DELETE', '/api/v1/vms//'],
  ['POST', '/api/v1/vms//actions/start'],
  ['POST', '/api/v1/jobs//actions/cancel'],
];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start({ address: { burst: BURST, perMinute: 1 } });
});
afterAll(() => gateway?.stop());

/** The head and the body of the answer to a request with this line. */
function answerTo(line: string, headers = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () =>
      socket.write(`${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`),
    );
    let text = '';
    socket
      .on('data', (data) => (text += String(data)))
      .on('end', () => resolve(text))
      .on('error', reject);
  });
}

describe('a request with an empty path parameter', () => {
  it.each(EMPTY)('is 401 without a token: %s %s', async (method, path) => {
    const answer = await gateway.ask(method, path, { token: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each(EMPTY)('is 422 with a token, and names the parameter: %s %s', async (method, path) => {
    const answer = await gateway.ask(method, path);
    expect(answer.status).toBe(422);
    expect(answer.json.code).toBe('invalid_request');
    expect(answer.json.errors).toEqual([{ path: '/path/id', message: 'must not be empty' }]);
  });

  it('is 401 without a token when its method is HEAD', async () => {
    expect(await answerTo('HEAD /api/v1/vms//placement')).toMatch(/^HTTP\/1.1 401 /);
  });

  it('counts against its token', async () => {
    const token = gateway.token('owner', gateway.tenantId, 'slow', 1);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => gateway.ask('GET', '/api/v1/vms//placement', { token })),
    );
    expect(answers.map(({ status }) => status)).toContain(429);
  });
});

describe('a request for a target that is not a path', () => {
  it('is 401 without a token, and 404 with one', async () => {
    expect(await answerTo('GET *')).toMatch(/^HTTP\/1.1 401 .*x-request-id: [0-9a-f-]{36}/is);
    const authorization = `Authorization: Bearer ${gateway.token()}\r\n`;
    expect(await answerTo('GET *', authorization)).toMatch(/^HTTP\/1.1 404 /);
  });
});

describe('a request for a file of the documentation', () => {
  it.each([
    ['outside of its folder', '/docs/static/%2e%2e/package.json', '', 404],
    ['with a NUL in its name', '/docs/static/a%00b', '', 404],
    ['with a name that no file has', `/docs/static/${'a'.repeat(5_000)}`, '', 404],
    ['beyond its end', '/docs/static/favicon-32x32.png', 'Range: bytes=9999999-\r\n', 400],
    ['with another ETag', '/docs/static/favicon-32x32.png', 'If-Match: "x"\r\n', 412],
  ])('%s is refused, and is not an error of the gateway', async (_what, path, headers, status) => {
    expect(await answerTo(`GET ${path}`, headers)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe('an address without a token', () => {
  it.each([
    ['an empty path parameter', `GET /api/v1/vms//wait`],
    ['a target that is not a path', 'GET *'],
    ['an unknown path', `GET /api/v1/nothing/${id}`],
    ['an unknown method', 'PUT /api/v1/vms'],
    ['a path that is not a URL', 'GET /api/v1/vms/%E0%A4%A'],
  ])('has its requests with %s counted', async (_what, line) => {
    const own = await TestGateway.start({ address: { burst: 2, perMinute: 1 } });
    const shared = gateway;
    gateway = own;
    try {
      for (let i = 0; i < 2; i++) expect(await answerTo(line)).toMatch(/^HTTP\/1.1 40[01] /);
      expect(await answerTo(line)).toMatch(/^HTTP\/1.1 429 /);
    } finally {
      gateway = shared;
      await own.stop();
    }
  });
});
