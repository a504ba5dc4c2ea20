import type { FastifyInstance } from 'fastify';
import { openApiDocument } from '@novacron/contracts/openapi/document';
import { API_VERSION, operations } from '@novacron/contracts/operations/all';
import type { Readiness } from '@novacron/telemetry/ops';
import { allowOrigins } from './http/cors.js';
import { Edge, type EdgeParts } from './http/edge.js';
import { answerTheUnknown } from './auth/unrouted.js';
import { PUBLIC_PATHS, serveRoot } from './public/public-routes.js';
import { routes } from './routes.js';

export interface HttpParts extends EdgeParts {
  readonly ready: () => Promise<Readiness>;
  /** Whose pages may call the API; none when it is left out. */
  readonly corsOrigins?: readonly string[];
}

/**
 * Puts everything that the gateway serves on a Fastify instance made with `trusting()`: hooks for every request on the
 * instance itself, the routes in a scope of their own, where Nest's handlers do not reach.
 */
export function serveHttp(fastify: FastifyInstance, parts: HttpParts): Edge {
  const edge = new Edge(parts);
  edge.prepare(fastify);
  allowOrigins(fastify, parts.corsOrigins ?? []);
  answerTheUnknown(fastify, edge, [...routes, ...PUBLIC_PATHS.map((path) => ({ path, method: 'GET' }))]);
  void fastify.register(async (scope) => {
    edge.register(scope, routes);
    serveRoot(scope, {
      version: API_VERSION,
      document: openApiDocument(operations, API_VERSION),
      ready: parts.ready,
      count: (request) => edge.countAnonymous(request),
    });
  });
  return edge;
}
