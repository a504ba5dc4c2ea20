import type { FastifyInstance, FastifyRequest } from 'fastify';
import { varyBy } from './vary.js';

/** Headers that pages of other origins may send, beside those that every page may. */
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Content-Encoding',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'NovaCron-Consistency',
  'NovaCron-Consistency-Token',
  'Prefer',
  'X-Request-Id',
  'traceparent',
  'tracestate',
].join(', ');
/** Headers that such pages may read, beside those that every page may. */
const RESPONSE_HEADERS = [
  'Allow',
  'ETag',
  'Idempotency-Replayed',
  'Location',
  'NovaCron-Consistency-Token',
  'NovaCron-Served-From',
  'NovaCron-Truncated',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
].join(', ');
const METHODS = 'GET, HEAD, POST, PATCH, DELETE';
/** Browsers keep a preflight's answer no longer than two hours. */
const MAX_AGE_SECONDS = 7_200;

/**
 * Lets pages of these origins call the API (https://fetch.spec.whatwg.org/#http-cors-protocol). A preflight is
 * answered before authentication, because browsers send no token with it. Callers authenticate by a header and never by a
 * cookie, so answers to any origin (`*`) disclose nothing.
 * @param origins as browsers send them (`https://console.example.org`), or `*`; none: nothing is added
 */
export function allowOrigins(fastify: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const any = origins.includes('*');
  const allowed = new Set(origins);
  // On every answer, also to requests without an origin: a shared cache could serve it to a page of another origin.
  // `HotReads` writes its own.
  if (!any)
    fastify.addHook('onSend', (_request, reply, _payload, done) => {
      varyBy(reply, 'Origin');
      done();
    });
  fastify.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    if (origin === undefined || !(any || allowed.has(origin))) return done();
    // On the socket's response, because answers of `HotReads` bypass Fastify's reply.
    reply.raw.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
    reply.raw.setHeader('Access-Control-Expose-Headers', RESPONSE_HEADERS);
    if (!isPreflight(request)) return done();
    void reply
      .code(204)
      .headers({
        'Access-Control-Allow-Methods': METHODS,
        'Access-Control-Allow-Headers': REQUEST_HEADERS,
        'Access-Control-Max-Age': String(MAX_AGE_SECONDS),
      })
      .send();
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
