import type { Socket } from 'node:net';
import type { FastifyHttpOptions, FastifyReply, FastifyRequest } from 'fastify';
import type { Server } from 'node:http';
import { randomUUID } from 'node:crypto';
import { ServiceError } from '@novacron/contracts/errors';
import { BODY_LIMIT } from '@novacron/contracts/operation';
import { PROBLEM_TYPE } from '@novacron/contracts/problem';
import { toProblem } from './problem.js';
import { parseQuery } from './query.js';
import { requestId } from './request-id.js';

/** The gateway's own options, beside the guide's timeouts that service-kit sets. */
export const serverOptions: FastifyHttpOptions<Server> = {
  bodyLimit: BODY_LIMIT,
  requestIdHeader: false,
  genReqId: requestId,
  // An id of any length reaches its route, which counts the request. The contract then refuses the id.
  routerOptions: { maxParamLength: 2_000_000, ignoreTrailingSlash: true, querystringParser: parseQuery },
  frameworkErrors: (error, request, reply) =>
    request.server.refuseUnrouted(request as FastifyRequest, reply as FastifyReply, error),
  clientErrorHandler: refuseConnection,
};

/** {@link serverOptions} with `request.ip` from X-Forwarded-For, as far as these addresses and networks wrote it. */
export function trusting(proxies: readonly string[]): FastifyHttpOptions<Server> {
  return { ...serverOptions, trustProxy: proxies.length > 0 ? [...proxies] : false };
}

/** Answers a connection whose data is not HTTP, or is late, on its socket, because a request does not exist yet. */
function refuseConnection(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const detail =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? 'The request did not arrive in time.'
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? 'The headers are too large.'
        : 'What arrived is not HTTP.';
  const id = randomUUID();
  const body = JSON.stringify(toProblem(new ServiceError('malformed_request', detail), id));
  const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_TYPE}\r\nX-Request-Id: ${id}\r\n`;
  if (socket.writable)
    socket.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
  socket.destroySoon();
}
