import { context, propagation, SpanKind, trace, type Context, type Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from './logger.js';
import { histogram, HTTP_BUCKETS, level } from './metrics.js';

/** A request that took longer is logged. */
export const SLOW_REQUEST_MS = 1_000;

/**
 * Put `config: { longLived: true }` on a route that waits on purpose (waits, event streams): such a request
 * is measured, but not called slow.
 */
declare module 'fastify' {
  interface FastifyContextConfig {
    longLived?: boolean;
  }
}

/** The status of a request whose client went away before the answer, as nginx counts it. */
const CLIENT_CLOSED = 499;

const durations = histogram(
  'http_request_duration_seconds',
  'HTTP request duration in seconds',
  HTTP_BUCKETS,
);
const active = level('http_active_connections', 'Number of active HTTP connections');
const contexts = new WeakMap<FastifyRequest, Context>();
const headerOf = {
  get: (headers: FastifyRequest['headers'], name: string) => headers[name],
  keys: () => ['traceparent', 'tracestate'],
};

/**
 * Measures and traces every request of this Fastify instance, with two hooks and no instrumentation of
 * `http`. To be called before routes are added. `endpoint` is the route's pattern, never the URL.
 */
export function httpTelemetry(fastify: FastifyInstance, logger: Logger): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const startedAt = performance.now();
    const endpoint = request.routeOptions.url ?? 'unmatched';
    const parent = propagation.extract(context.active(), request.headers, headerOf);
    const span = trace
      .getTracer('novacron')
      .startSpan(`${request.method} ${endpoint}`, { kind: SpanKind.SERVER }, parent);
    const own = trace.setSpan(parent, span);
    contexts.set(request, own);
    active.add(1);
    // `close` comes once for every answer, also for one that the client did not wait for and for a
    // hijacked one, where Fastify's onResponse never comes.
    reply.raw.once('close', () => finish(request, reply, endpoint, span, own, startedAt, logger));
    context.with(own, done);
  });
  // What ran since onRequest may have been the socket's callbacks (the body), which know no context.
  fastify.addHook('preValidation', (request, _reply, done) => {
    const own = contexts.get(request);
    if (own === undefined) done();
    else context.with(own, done);
  });
}

function finish(
  request: FastifyRequest,
  reply: FastifyReply,
  endpoint: string,
  span: Span,
  own: Context,
  startedAt: number,
  logger: Logger,
): void {
  const durationMs = performance.now() - startedAt;
  const status = reply.raw.writableFinished ? reply.raw.statusCode : CLIENT_CLOSED;
  active.add(-1);
  durations.record(durationMs / 1000, { method: request.method, endpoint, status_code: String(status) });
  if (span.isRecording()) {
    span.setAttributes({
      'http.request.method': request.method,
      'http.route': endpoint,
      'http.response.status_code': status,
    });
    if (status >= 500) span.setStatus({ code: 2 });
  }
  span.end();
  if (durationMs > SLOW_REQUEST_MS && request.routeOptions.config.longLived !== true) {
    context.with(own, () =>
      logger.warn(
        { method: request.method, endpoint, status, durationMs: Math.round(durationMs) },
        'slow request',
      ),
    );
  }
}
