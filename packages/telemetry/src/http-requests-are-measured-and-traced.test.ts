import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { fastify, type FastifyInstance } from 'fastify';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { httpTelemetry } from './http.js';
import { createLogger } from './logger.js';
import { metricsText } from './metrics.js';
import { startTelemetry } from './start.js';
import { drawWith } from './unsampled.js';
import { activeTrace, injectTrace, runWithExtractedTrace, withRemoteSpan, withSpan } from './trace.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SAMPLED = `00-${TRACE}-00f067aa0ba902b7-01`;
const NOT_SAMPLED = `00-${TRACE}-00f067aa0ba902b7-00`;

const spans = new InMemorySpanExporter();
const logged: Record<string, unknown>[] = [];
const logger = createLogger('test', 'info', {
  write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>),
});
let app: FastifyInstance;
let base: string;

beforeAll(async () => {
  await startTelemetry({
    service: 'test',
    traceRatio: 0,
    spanProcessors: [new SimpleSpanProcessor({ exporter: spans })],
  });
  app = fastify();
  httpTelemetry(app, logger);
  app.get('/vms/:id', () => withSpan('inner', {}, () => ({ trace: activeTrace()?.traceId })));
  app.post('/vms', async () => {
    await sleep(1);
    return { trace: activeTrace()?.traceId };
  });
  app.get('/slow', async () => {
    logger.info('working');
    await sleep(1_050);
    return {};
  });
  app.get('/wait', { config: { longLived: true } }, async () => {
    await sleep(1_050);
    return {};
  });
  app.get('/asked-to-wait', async (request) => {
    request.waits = true;
    await sleep(1_050);
    return {};
  });
  app.get('/hang', () => new Promise(() => {}));
  base = await app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => app.close());
beforeEach(() => {
  spans.reset();
  logged.length = 0;
});

const get = (path: string, traceparent?: string) =>
  fetch(base + path, traceparent === undefined ? {} : { headers: { traceparent } });

describe('httpTelemetry', () => {
  it('labels a duration with the route’s pattern, never the URL, in the guide’s buckets', async () => {
    await get('/vms/1');
    await get('/vms/2');
    await get('/nowhere');
    const text = await metricsText();
    expect(text).toContain(
      'http_request_duration_seconds_count{method="GET",endpoint="/vms/:id",status_code="200"} 2',
    );
    expect(text).toContain(
      'http_request_duration_seconds_count{method="GET",endpoint="unmatched",status_code="404"} 1',
    );
    const bounds = [...text.matchAll(/http_request_duration_seconds_bucket\{.*:id.*le="([^"]+)"\}/g)];
    expect(bounds.map((match) => match[1])).toEqual([
      '0.005',
      '0.01',
      '0.025',
      '0.05',
      '0.1',
      '0.25',
      '0.5',
      '1',
      '2.5',
      '5',
      '10',
      '+Inf',
    ]);
    expect(text).toContain('http_active_connections 0');
  });

  it('continues the caller’s trace, and nests spans below it when it is sampled', async () => {
    expect(await (await get('/vms/1', SAMPLED)).json()).toEqual({ trace: TRACE });
    const [inner, server] = spans.getFinishedSpans();
    expect(server?.name).toBe('GET /vms/:id');
    expect(server?.attributes['http.response.status_code']).toBe(200);
    expect(inner?.parentSpanContext?.spanId).toBe(server?.spanContext().spanId);
  });

  it('records nothing for a trace that is not sampled, yet knows its id', async () => {
    expect(await (await get('/vms/1', NOT_SAMPLED)).json()).toEqual({ trace: TRACE });
    expect(spans.getFinishedSpans()).toHaveLength(0);
  });

  it('records a new trace that is drawn, and gives one that is not ids all the same', async () => {
    drawWith(1);
    const drawn = (await (await get('/vms/1')).json()) as { trace: string };
    drawWith(0);
    const [inner, server] = spans.getFinishedSpans();
    expect([server?.name, server?.spanContext().traceId]).toEqual(['GET /vms/:id', drawn.trace]);
    expect(inner?.parentSpanContext?.spanId).toBe(server?.spanContext().spanId);
    const other = (await (await get('/vms/1')).json()) as { trace: string };
    expect(other.trace).toMatch(/^[0-9a-f]{32}$/);
    expect(spans.getFinishedSpans()).toHaveLength(2);
  });

  it('keeps the trace after a body was read', async () => {
    const response = await fetch(`${base}/vms`, {
      method: 'POST',
      headers: { traceparent: SAMPLED, 'content-type': 'application/json' },
      body: JSON.stringify({ padding: 'x'.repeat(200_000) }),
    });
    expect(await response.json()).toEqual({ trace: TRACE });
  });

  it('logs a request over a second with its trace id, but not one that waits on purpose', async () => {
    await Promise.all([get('/slow', SAMPLED), get('/wait'), get('/asked-to-wait')]);
    while (logged.length < 2) await sleep(10);
    expect(logged.map((line) => line['msg'])).toEqual(['working', 'slow request']);
    expect(logged[1]).toMatchObject({ endpoint: '/slow', status: 200, level: 'warn', traceId: TRACE });
    expect(logged[0]).toMatchObject({ traceId: TRACE, service: 'test' });
  });

  it('labels a request that waits on purpose, so that no objective counts its time', async () => {
    await Promise.all([get('/wait'), get('/asked-to-wait'), get('/vms/3')]);
    const text = await metricsText();
    for (const endpoint of ['/wait', '/asked-to-wait']) {
      const labels = `method="GET",endpoint="${endpoint}",status_code="200"`;
      expect(text).toContain(`http_request_duration_seconds_count{${labels},wait="true"}`);
      expect(text).not.toContain(`http_request_duration_seconds_count{${labels}}`);
    }
    expect(text).not.toMatch(/endpoint="\/vms\/:id",status_code="200",wait/);
  });

  it('counts a request in flight, and one whose client went away as 499', async () => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    socket.write('GET /hang HTTP/1.1\r\nhost: x\r\n\r\n');
    while (!(await metricsText()).includes('http_active_connections 1')) await sleep(10);
    socket.destroy();
    while (!(await metricsText()).includes('http_active_connections 0')) await sleep(10);
    expect(await metricsText()).toContain('endpoint="/hang",status_code="499"} 1');
  });
});

describe('trace context', () => {
  it('crosses a hop by headers', () => {
    const headers = new Map<string, string>();
    runWithExtractedTrace(
      (name) => ({ traceparent: SAMPLED })[name],
      () => withSpan('caller', {}, () => injectTrace((name, value) => headers.set(name, value))),
    );
    const seen = withRemoteSpan(
      'callee',
      (name) => headers.get(name),
      {},
      () => activeTrace(),
    );
    const [caller, callee] = spans.getFinishedSpans();
    expect(seen?.traceId).toBe(TRACE);
    expect(callee?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
  });

  it('a failed span carries the error, and the error goes on', async () => {
    const fail = runWithExtractedTrace(
      (name) => ({ traceparent: SAMPLED })[name],
      () => withSpan('fails', {}, async () => Promise.reject(new Error('broken'))),
    );
    await expect(fail).rejects.toThrow('broken');
    expect(spans.getFinishedSpans()[0]?.status).toEqual({ code: 2, message: 'broken' });
  });
});
