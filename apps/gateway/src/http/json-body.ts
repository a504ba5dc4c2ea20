import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { JSON_LIMITS, MERGE_PATCH, type JsonLimits } from '@novacron/contracts/operation';
import { checkShape } from './json-shape.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Whether the body is a JSON Merge Patch (RFC 7396). */
export function isMergePatch(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() === MERGE_PATCH;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    jsonLimits?: JsonLimits;
  }
}

/** Takes JSON and nothing else. An empty body counts as none: the route's schema says whether it needs one. */
export function takeJsonOnly(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    ['application/json', MERGE_PATCH],
    { parseAs: 'buffer' },
    (request, body, done) => {
      try {
        done(null, parseJson(body as Buffer, request.routeOptions.config.jsonLimits ?? JSON_LIMITS));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

function parseJson(body: Buffer, limits: JsonLimits): unknown {
  if (body.length === 0) return undefined;
  checkShape(body, limits);
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    throw new ServiceError('malformed_json', `The body is not valid JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
