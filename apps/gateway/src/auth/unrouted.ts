import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import type { Edge } from '../http/edge.js';

/** A path that something is offered at, with its methods. */
export interface Offer {
  readonly path: string;
  readonly method: string;
}

/** Answers what no route takes: 401 without a token, 405 where other methods are offered, else 404. */
export function answerTheUnknown(fastify: FastifyInstance, edge: Edge, offers: readonly Offer[]): void {
  const patterns = offers.map(({ path, method }) => ({
    method,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    try {
      await edge.authenticate(request);
      const path = plainPath(request.url);
      // Fastify offers HEAD with every GET.
      const offered = patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
      const allowed = [
        ...new Set(offered.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method))),
      ];
      if (allowed.length === 0) throw new ServiceError('not_found', 'There is no such route.');
      reply.header('Allow', allowed.join(', '));
      throw new ServiceError('method_not_allowed', `Offered here: ${allowed.join(', ')}.`);
    } catch (error) {
      return edge.fail(request, reply, error);
    }
  };
  // Before the body is read: nobody's megabyte is parsed for a 404.
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.is404) void answer(request, reply);
    else done();
  });
}

/** The path as the router compares it: without query and trailing slash, percent-encoding undone. */
function plainPath(url: string): string {
  const path = (url.split('?')[0] as string).replace(/(?<=.)\/$/, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
