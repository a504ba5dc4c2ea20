import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { rpc, type RpcDiagnostic } from '@novacron/telemetry/diagnostics';
import { createLogger } from '@novacron/telemetry/logger';
import { startTelemetry } from '@novacron/telemetry/start';
import { runWithExtractedTrace } from '@novacron/telemetry/trace';
import { until } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestNats } from '../test/nats-server.js';
import {
  absent,
  echo,
  fail,
  handled,
  meta,
  slow,
  startService,
  type TestService,
} from '../test/rpc-harness.js';
import { connectNats } from './connect.js';
import { RpcClient } from './rpc-client.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const logged: Record<string, unknown>[] = [];
let nats: TestNats;
let service: TestService;
let nc: NatsConnection;
let client: RpcClient;

beforeAll(async () => {
  await startTelemetry({ service: 'test', traceRatio: 0 });
  nats = await TestNats.start();
  const logger = createLogger('test', 'info', {
    write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  });
  service = await startService(nats, 8, logger);
  nc = await connectNats({ url: nats.url, user: 'client', password: 'c', name: 'client' });
  client = new RpcClient(nc);
});
afterAll(async () => {
  await nc.close();
  await service.stop();
  await nats.stop();
});

async function errorOf(work: Promise<unknown>): Promise<ServiceError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ServiceError) return error;
  throw error ?? new Error('it succeeded');
}

describe('a request', () => {
  it('returns body, position and version', async () => {
    const reply = await client.request(echo, meta(), { text: 'hello' });
    expect(reply).toMatchObject({ body: { text: 'hello' }, position: '1.1.5', version: 3 });
  });

  it('carries the trace to the service, also when it is not sampled', async () => {
    const reply = await runWithExtractedTrace(
      (name) => (name === 'traceparent' ? `00-${TRACE}-00f067aa0ba902b7-00` : undefined),
      () => client.request(echo, meta(), { text: '' }),
    );
    expect(reply.body.traceId).toBe(TRACE);
  });

  it('is refused with every wrong field when the body is wrong', async () => {
    const body = { text: 5, nested: { count: 1.5 }, extra: true } as unknown as { text: string };
    const error = await errorOf(client.request(echo, meta(), body));
    expect(error.code).toBe('invalid_request');
    expect(error.errors?.map(({ path }) => path).sort()).toEqual(['/extra', '/nested/count', '/text']);
  });

  it('is refused with every wrong field when the envelope is wrong', async () => {
    const reply = await nc.request(echo.subject, JSON.stringify({ v: 2, tenantId: '', body: { text: '' } }));
    const answer = reply.json<{ ok: boolean; code: string; errors: { path: string }[] }>();
    expect(answer).toMatchObject({ ok: false, code: 'invalid_request' });
    expect(answer.errors.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        '/envelope/v',
        '/envelope/tenantId',
        '/envelope/remainingMs',
        '/envelope/roles',
      ]),
    );
  });

  it.each(['', '{', 'null', '[1]', '"x"', '{"data":{"pattern":1}}'])(
    'is refused and not unwrapped when it is %j',
    async (text) => {
      const reply = await nc.request(echo.subject, text);
      expect(reply.json()).toMatchObject({ ok: false, code: 'invalid_request' });
    },
  );

  it('ends in the service’s error with fields and retry hint when the service refuses it', async () => {
    const error = await errorOf(client.request(fail, meta(), { how: 'service' }));
    expect(error).toMatchObject({ code: 'quota_exceeded', detail: 'no room', retryAfterMs: 7 });
    expect(error.errors).toEqual([{ path: '/cpu', message: 'too many' }]);
  });

  it.each(['unknown', 'sync'] as const)(
    'ends in `internal`, logged and without details, when its handler fails (%s)',
    async (how) => {
      logged.length = 0;
      const error = await errorOf(client.request(fail, meta(), { how }));
      expect(error.code).toBe('internal');
      expect(JSON.stringify(error) + error.message).not.toContain('secret');
      expect(JSON.stringify(logged)).toContain('secret detail');
    },
  );

  it('ends in `dependency_down` at once when no service subscribes', async () => {
    const startedAt = performance.now();
    const error = await errorOf(client.request(absent, meta(), {}));
    expect(error).toMatchObject({ code: 'dependency_down', retryAfterMs: 1_000 });
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  it('ends in `deadline_exceeded` at its deadline when it takes too long', async () => {
    const before = { ...handled };
    const error = await errorOf(client.request(slow, meta(300), { ms: 1_000 }));
    expect(error.code).toBe('deadline_exceeded');
    expect(handled.slow).toBe(before.slow);
    await until(() => handled.slow - before.slow === handled.begun - before.begun);
  });

  it('is not started when a stalled process receives it past its deadline', async () => {
    const before = handled.slow;
    await sleep(200);
    const late = errorOf(client.request(slow, meta(300), { ms: 0 }));
    // The request is sent in a microtask, and returns to this process's socket while its loop is blocked.
    for (let i = 0; i < 100; i++) await Promise.resolve();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    expect((await late).code).toBe('deadline_exceeded');
    await sleep(200);
    expect(handled.slow).toBe(before);
    // A deadline shorter than the stall, which is over.
    await client.request(slow, meta(3_900), { ms: 0 });
  });

  it('ends in `body_too_large` without being sent when it is too large', async () => {
    expect((await errorOf(client.request(echo, meta(), { text: 'x'.repeat(1_100_000) }))).code).toBe(
      'body_too_large',
    );
  });

  it('ends at once in `answer_too_large` when the answer is too large', async () => {
    const startedAt = performance.now();
    expect((await errorOf(client.request(fail, meta(), { how: 'huge' }))).code).toBe('answer_too_large');
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  it('ends in `overloaded` at once beyond the service’s bound, while those within are answered', async () => {
    const work = Array.from({ length: 12 }, () => client.request(slow, meta(), { ms: 1_500 }));
    const results = await Promise.allSettled(work);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(4);
    for (const { reason } of refused)
      expect(reason).toMatchObject({ code: 'overloaded', retryAfterMs: 1_000 });
  });

  it('ends in `overloaded` without being sent beyond the client’s bound', async () => {
    const narrow = new RpcClient(nc, { maxInFlight: 1 });
    const first = narrow.request(slow, meta(), { ms: 50 });
    expect((await errorOf(narrow.request(echo, meta(), { text: '' }))).code).toBe('overloaded');
    await first;
    await narrow.request(echo, meta(), { text: '' });
  });

  it('is published as a diagnostic on both sides', async () => {
    const published: RpcDiagnostic[] = [];
    rpc.subscribe((diagnostic) => published.push(diagnostic));
    await client.request(echo, meta(), { text: '' });
    expect(published.map(({ side, subject, code }) => [side, subject, code]).sort()).toEqual([
      ['client', 'rpc.server.echo.get', 'ok'],
      ['server', 'rpc.server.echo.get', 'ok'],
    ]);
  });
});

describe('a drain', () => {
  it('answers accepted requests, and leaves later ones to the other instances', async () => {
    const second = await startService(nats, 8);
    try {
      const before = { ...handled };
      // As many as one instance accepts: NATS may have sent all of them to the first.
      const inFlight = Array.from({ length: 6 }, () => client.request(slow, meta(), { ms: 1_000 }));
      await until(() => handled.begun - before.begun === 6);
      const draining = second.server.drain();
      const later = Array.from({ length: 2 }, () => client.request(echo, meta(), { text: '' }));
      await Promise.all([...inFlight, ...later]);
      await draining;
      expect(handled.slow - before.slow).toBe(6);
    } finally {
      await second.stop();
    }
  });
});
