import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode } from '@novacron/contracts/errors';
import { noneMatch } from '../http/etag.js';
import { errorPage } from '../errors/error-docs.js';
import { contentTag } from '../reads/cached-headers.js';
import { serveDocs } from './docs-page.js';
import type { Readiness } from '@novacron/telemetry/ops';

/** What is offered without a token. */
export const PUBLIC_PATHS = ['/', '/health', '/ready', '/openapi.json', '/docs', '/favicon.ico'] as const;

export interface RootParts {
  readonly version: string;
  readonly document: object;
  /** What is there and what is missing. */
  readonly ready: () => Promise<Readiness>;
  /** Counts a request that needs no token. @throws ServiceError `rate_limited` */
  readonly count: (request: FastifyRequest) => void;
}

/** What is asked of this very process, at this moment. */
const NOT_KEPT = 'no-store';
/** Everybody's, and asked about each time: that costs a 304. */
const ASKED_ABOUT = 'public, no-cache';

/** Adds the routes outside of the API: they need no token. Probes are not counted. */
export function serveRoot(fastify: FastifyInstance, parts: RootParts): void {
  serveProbes(fastify, parts.ready);
  void fastify.register(async (pages) => {
    pages.addHook('onRequest', async (request) => parts.count(request));
    servePages(pages, parts);
  });
}

function serveProbes(fastify: FastifyInstance, ready: RootParts['ready']): void {
  fastify.get('/health', (_request, reply) => reply.header('Cache-Control', NOT_KEPT).send({ status: 'ok' }));
  fastify.get('/ready', async (_request, reply) => {
    const state = await ready();
    const missing = Object.keys(state.checks).filter((name) => state.checks[name]?.ok === false);
    return reply
      .code(state.ready ? 200 : 503)
      .header('Cache-Control', NOT_KEPT)
      .send({ ready: state.ready, missing, status: state.status, checks: state.checks });
  });
}

function servePages(fastify: FastifyInstance, { version, document }: RootParts): void {
  const overview = {
    name: 'NovaCron',
    version,
    api: '/api/v1',
    documentation: '/docs',
    openapi: '/openapi.json',
    health: '/health',
    ready: '/ready',
  };
  fastify.get('/', (request, reply) => {
    reply.header('Vary', 'Accept');
    return wantsPage(request.headers.accept) ? reply.redirect('/docs', 302) : reply.send(overview);
  });
  const text = Buffer.from(JSON.stringify(document));
  const etag = contentTag(text);
  fastify.get('/openapi.json', (request, reply) => {
    reply.header('Cache-Control', ASKED_ABOUT).header('ETag', etag);
    return noneMatch(request.headers['if-none-match'], etag)
      ? reply.type('application/json; charset=utf-8').send(text)
      : reply.code(304).send();
  });
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    fastify.get(`/errors/${code}`, (_request, reply) =>
      reply.type('text/html; charset=utf-8').header('Cache-Control', ASKED_ABOUT).send(errorPage(code)),
    );
  }
  serveDocs(fastify);
}

/** Browsers name text/html when a person types the address; programs do not. */
function wantsPage(accept: string | undefined): boolean {
  return accept !== undefined && /(?:^|,)\s*text\/html\s*(?:[;,]|$)/i.test(accept);
}
