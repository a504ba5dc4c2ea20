import type { FastifyInstance } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Takes JSON and nothing else. An empty body is no body: whether one is needed, the route's schema says. */
export function takeJsonOnly(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    throw new ServiceError('malformed_json', `The body is not valid JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
