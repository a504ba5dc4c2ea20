import type { FastifyInstance, FastifyRequest } from 'fastify';
import { varyBy } from './vary.js';

/** What pages of other origins may send, beside the headers that every page may. */
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
/** What such pages may read, beside the headers that every page may. */
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
 * answered before authentication, as browsers send no token with it. Callers show a token in a header, and no cookie
 * counts, so answers to any origin (`*`) give nothing away.
 * @param origins as browsers send them (`https://console.example.org`), or `*`; none: nothing is added
 */
export function allowOrigins(fastify: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const any = origins.includes('*');
  const allowed = new Set(origins);
  // Of every answer, also to requests without an origin: a shared cache would hand it to a page that may read it.
  // Answers out of memory say it themselves.
  if (!any)
    fastify.addHook('onSend', (_request, reply, _payload, done) => {
      varyBy(reply, 'Origin');
      done();
    });
  fastify.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    if (origin === undefined || !(any || allowed.has(origin))) return done();
    // On the socket's response, since answers out of memory pass Fastify's reply.
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
