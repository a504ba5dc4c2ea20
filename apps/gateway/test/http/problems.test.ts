import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ERRORS, type ErrorCode } from '@novacron/contracts/errors';
import { Problem } from '@novacron/contracts/problem';
import { newId } from '@novacron/contracts/ids';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());

function expectProblem(answer: Answered, code: ErrorCode): void {
  const problem = Problem.parse(answer.json);
  expect(problem.code).toBe(code);
  expect(answer.status).toBe(ERRORS[code].status);
  expect(problem).toMatchObject({
    status: answer.status,
    type: `/errors/${code}`,
    retryable: ERRORS[code].retryable,
  });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('x-request-id')).toBe(problem.requestId);
}
const paths = (answer: Answered): string[] =>
  answer.json.errors.map((error: { path: string }) => error.path).sort();

describe('a wrong request', () => {
  it('with malformed JSON is 400', async () => {
    for (const body of ['{"name":', '{"name":"x"} trailing', "{'a':1}"]) {
      expectProblem(await gateway.ask('POST', '/api/v1/vms', { body }), 'malformed_json');
    }
  });

  it('without a required body is 400', async () => {
    expectProblem(await gateway.ask('POST', '/api/v1/vms'), 'malformed_json');
    expectProblem(
      await gateway.ask('POST', '/api/v1/vms', { headers: { 'content-type': 'application/json' } }),
      'malformed_json',
    );
  });

  it('with another content type is 415', async () => {
    const answer = await gateway.ask('POST', '/api/v1/vms', {
      body: 'name=x',
      headers: { 'content-type': 'text/plain' },
    });
    expectProblem(answer, 'unsupported_media_type');
  });

  it('with a body over the limit is 413', async () => {
    const body = { ...GUIDE_VM, userData: 'x'.repeat(1_100_000) };
    expectProblem(await gateway.ask('POST', '/api/v1/vms', { body }), 'body_too_large');
  });

  it('with wrong fields is 422 and names each by JSON Pointer', async () => {
    const body = {
      name: 'Not A Label',
      config: { cpu: 0, memory: 'much', disk: 50, image: 'x', gpu: 1 },
      colour: 1,
      tags: { 'a/b~c': 1 },
    };
    const answer = await gateway.ask('POST', '/api/v1/vms', { body });
    expectProblem(answer, 'invalid_request');
    expect(paths(answer)).toEqual([
      '/colour',
      '/config/cpu',
      '/config/gpu',
      '/config/memory',
      '/name',
      '/tags/a~1b~0c',
    ]);
  });

  it('with a body that is not an object is 422', async () => {
    for (const body of ['null', '[]', '7', '"text"'])
      expectProblem(await gateway.ask('POST', '/api/v1/vms', { body }), 'invalid_request');
  });

  it('with wrong parameters is 422 and names each, with its place', async () => {
    const answer = await gateway.ask('GET', '/api/v1/vms?limit=0&state=flying&colour=red&zone=a&zone=b');
    expectProblem(answer, 'invalid_request');
    expect(paths(answer)).toEqual(['/query/colour', '/query/limit', '/query/state/0', '/query/zone']);
    const id = await gateway.ask('GET', '/api/v1/vms/not-a-uuid');
    expectProblem(id, 'invalid_request');
    expect(paths(id)).toEqual(['/path/id']);
  });

  it.each([
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+10:00',
    '9999-12-31T23:00:00-02:00',
    '2026-02-30T00:00:00Z',
  ])('with a time that JavaScript or Postgres does not have is 422: %s', async (time) => {
    const answer = await gateway.ask('GET', `/api/v1/vms?updatedSince=${encodeURIComponent(time)}`);
    expectProblem(answer, 'invalid_request');
    expect(paths(answer)).toEqual(['/query/updatedSince']);
  });

  it('with an Idempotency-Key that is too long is 422', async () => {
    const answer = await gateway.ask('POST', '/api/v1/vms', {
      body: GUIDE_VM,
      headers: { 'idempotency-key': 'k'.repeat(256) },
    });
    expectProblem(answer, 'invalid_request');
    expect(paths(answer)).toEqual(['/header/Idempotency-Key']);
  });

  it('for an unknown path or method is 404 or 405', async () => {
    expectProblem(await gateway.ask('GET', '/api/v1/nothing'), 'not_found');
    expectProblem(
      await gateway.ask('POST', '/nothing', { body: '{broken', headers: { 'content-type': 'text/plain' } }),
      'not_found',
    );
    const answer = await gateway.ask('PUT', '/api/v1/vms', { body: {} });
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe('POST, GET, HEAD');
    const headers = { 'novacron-consistency-token': 'of another installation' };
    expectProblem(await gateway.ask('PUT', '/api/v1/vms', { body: {}, headers }), 'method_not_allowed');
    expectProblem(await gateway.ask('GET', '/api/v1/nothing', { token: null }), 'unauthenticated');
  });

  it("keeps the caller's X-Request-Id where it is valid", async () => {
    const good = await gateway.ask('GET', '/api/v1/nothing', { headers: { 'x-request-id': 'my-id.1' } });
    expect(good.json.requestId).toBe('my-id.1');
    const bad = await gateway.ask('GET', '/api/v1/nothing', { headers: { 'x-request-id': 'a "quoted" id' } });
    expect(bad.json.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('that is not HTTP is answered as a problem', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () =>
        socket.write('HELLO?\r\n\r\n'),
      );
      let text = '';
      socket
        .on('data', (data) => (text += data))
        .on('end', () => resolve(text))
        .on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(Problem.parse(JSON.parse(answer.split('\r\n\r\n')[1] as string)).code).toBe('malformed_request');
  });
});

describe('an error of a service', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])(
    '%s becomes its status, and nothing but the public text',
    async (code) => {
      gateway.orchestrator.failNext(code, 'public text', 1_500);
      const answer = await gateway.ask('GET', `/api/v1/vms/${newId()}`);
      expectProblem(answer, code);
      expect(answer.json.detail).toBe('public text');
      expect(answer.headers.get('retry-after')).toBe('2');
    },
  );

  it('names the fields that the service refused', async () => {
    const answer = await gateway.ask('GET', '/api/v1/vms?cursor=x', {});
    expect(answer.status).toBe(200);
    gateway.orchestrator.failNext('unknown_image', 'There is no image x.');
    expectProblem(
      await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: 'other' } }),
      'unknown_image',
    );
  });
});
