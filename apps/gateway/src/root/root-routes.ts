import type { FastifyInstance } from 'fastify';
import { ERRORS, type ErrorCode } from '@novacron/contracts/errors';
import { errorPage } from '../errors/error-docs.js';
import { serveDocs } from './docs-page.js';
import type { Readiness } from '@novacron/telemetry/ops';

/** What is offered without a token. */
export const PUBLIC_PATHS = ['/', '/health', '/ready', '/openapi.json', '/docs'] as const;

export interface RootParts {
  readonly version: string;
  readonly document: object;
  /** What is there and what is missing. */
  readonly ready: () => Promise<Readiness>;
}

/** Adds the routes outside of the API: they need no token. */
export function serveRoot(fastify: FastifyInstance, { version, document, ready }: RootParts): void {
  fastify.get('/', () => ({
    name: 'NovaCron',
    version,
    api: '/api/v1',
    documentation: '/docs',
    openapi: '/openapi.json',
    health: '/health',
    ready: '/ready',
  }));
  fastify.get('/health', () => ({ status: 'ok' }));
  fastify.get('/ready', async (_request, reply) => {
    const state = await ready();
    const missing = Object.keys(state.checks).filter((name) => state.checks[name]?.ok === false);
    return reply.code(state.ready ? 200 : 503).send({ ready: state.ready, missing, checks: state.checks });
  });
  const text = JSON.stringify(document);
  fastify.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(text));
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    fastify.get(`/errors/${code}`, (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(errorPage(code)),
    );
  }
  serveDocs(fastify);
}
