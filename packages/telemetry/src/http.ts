import { context, propagation, ROOT_CONTEXT, SpanKind, trace, type Context } from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from './logger.js';
import { HTTP_BUCKETS, observableGauge } from './metrics.js';
import { SeriesHistogram, type Series } from './series.js';
import { draw, UnsampledSpan, won } from './unsampled.js';

/** A request that took longer is logged. */
export const SLOW_REQUEST_MS = 1_000;

/**
 * Put `config: { longLived: true }` on a route that waits on purpose (waits, event streams), or set `waits` on a request
 * that asked for a wait: such a request is measured with the label `wait="true"`, and not called slow.
 */
declare module 'fastify' {
  interface FastifyContextConfig {
    longLived?: boolean;
  }
  interface FastifyInstance {
    /** Measures a request that the router could not read: no hook runs for it. */
    observeUnrouted(request: FastifyRequest, reply: FastifyReply): void;
  }
  interface FastifyRequest {
    /** Where the request's span is; null before it has one. */
    traceContext: Context | null;
    /** Its caller asked to wait. */
    waits: boolean;
  }
}

/** The status of a request whose client went away before the answer, as nginx counts it. */
const CLIENT_CLOSED = 499;

const durations = new SeriesHistogram(
  'http_request_duration_seconds',
  'HTTP request duration in seconds',
  HTTP_BUCKETS,
);
const byAnswer = new Map<string, Series>();
let active = 0;
observableGauge('http_active_connections', 'Number of active HTTP connections', (observe) => observe(active));
type Headers = FastifyRequest['headers'];
const headerOf = {
  get: (headers: Headers, name: string) => headers[name],
  keys: (headers: Headers) => Object.keys(headers),
};
/** The headers of a trace: `traceparent` and `tracestate`, unless OTEL_PROPAGATORS names others. */
let traceHeaders: readonly string[] = [];

/**
 * Measures and traces every request of this Fastify instance, with two hooks and no instrumentation of
 * `http`. To be called before routes are added. `endpoint` is the route's pattern, never the URL.
 */
export function httpTelemetry(fastify: FastifyInstance, logger: Logger): void {
  traceHeaders = propagation.fields();
  fastify.decorateRequest('traceContext', null);
  fastify.decorateRequest('waits', false);
  const observe = (request: FastifyRequest, reply: FastifyReply): Context | null => {
    const startedAt = performance.now();
    const endpoint = request.routeOptions.url ?? 'unmatched';
    const own = begin(request, endpoint);
    request.traceContext = own;
    active += 1;
    // `close` comes once for every answer, also for one that the client did not wait for and for a
    // hijacked one, where Fastify's onResponse never comes.
    reply.raw.on('close', () => finish(request, reply, endpoint, startedAt, logger));
    return own;
  };
  fastify.decorate(
    'observeUnrouted',
    (request: FastifyRequest, reply: FastifyReply) => void observe(request, reply),
  );
  fastify.addHook('onRequest', (request, reply, done) => {
    const own = observe(request, reply);
    if (own === null) done();
    else context.with(own, done);
  });
  // What ran since onRequest may have been the socket's callbacks (the body), which know no context.
  fastify.addHook('preValidation', (request, _reply, done) => {
    request.traceContext ??= trace.setSpan(ROOT_CONTEXT, new UnsampledSpan());
    context.with(request.traceContext, done);
  });
}

/**
 * The context with the request's span: below the caller's, or a new trace if it is drawn. null: nothing of it is
 * recorded, and its context is made once its handler is near; a hook that answers needs none.
 */
function begin(request: FastifyRequest, endpoint: string): Context | null {
  const called = carriesTrace(request.headers);
  if (!called && !draw()) return null;
  const parent = called ? propagation.extract(ROOT_CONTEXT, request.headers, headerOf) : won(ROOT_CONTEXT);
  const span = trace
    .getTracer('novacron')
    .startSpan(`${request.method} ${endpoint}`, { kind: SpanKind.SERVER }, parent);
  return trace.setSpan(parent, span);
}

function carriesTrace(headers: Headers): boolean {
  for (const name of traceHeaders) if (headers[name] !== undefined) return true;
  return false;
}

function seriesOf(method: string, endpoint: string, status: number, waits: boolean): Series {
  const key = `${waits ? 'waits ' : ''}${status} ${method} ${endpoint}`;
  let series = byAnswer.get(key);
  if (series === undefined) {
    const wait = waits ? { wait: 'true' } : {};
    series = durations.series({ method, endpoint, status_code: String(status), ...wait });
    byAnswer.set(key, series);
  }
  return series;
}

function finish(
  request: FastifyRequest,
  reply: FastifyReply,
  endpoint: string,
  startedAt: number,
  logger: Logger,
): void {
  const durationMs = performance.now() - startedAt;
  const status = reply.raw.writableFinished ? reply.raw.statusCode : CLIENT_CLOSED;
  active -= 1;
  const waits = request.waits || request.routeOptions.config.longLived === true;
  seriesOf(request.method, endpoint, status, waits).record(durationMs / 1000);
  const span = request.traceContext && trace.getSpan(request.traceContext);
  if (span?.isRecording()) {
    span.setAttributes({
      'http.request.method': request.method,
      'http.route': endpoint,
      'http.response.status_code': status,
    });
    if (status >= 500) span.setStatus({ code: 2 });
    span.end();
  }
  if (durationMs > SLOW_REQUEST_MS && !waits) {
    context.with(request.traceContext ?? ROOT_CONTEXT, () =>
      logger.warn(
        {
          method: request.method,
          endpoint,
          status,
          durationMs: Math.round(durationMs),
          client: request.ip,
        },
        'slow request',
      ),
    );
  }
}
