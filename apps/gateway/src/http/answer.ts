import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServiceError } from '@novacron/contracts/errors';
import { PROBLEM_TYPE } from '@novacron/contracts/problem';
import type { Call } from '../reads/requester.js';
import { etagOf } from './etag.js';
import { retryAfterSeconds, toProblem } from './problem.js';
import type { Answer } from './route.js';

export const JSON_TYPE = 'application/json; charset=utf-8';
/** Answers are one caller's, and what is kept is asked about each time: that costs a 304. */
export const CACHE_CONTROL = 'private, no-cache';
/** Accept-Encoding: bodies from 1,000 bytes on are compressed, here or by what stands in front of us. */
export const VARY =
  'Authorization, Accept-Encoding, Origin, NovaCron-Consistency, NovaCron-Consistency-Token';

/** Puts a handler's answer on the wire, with the headers that its call has earned. */
export function sendAnswer(
  reply: FastifyReply,
  answer: Answer,
  call: Call,
  token: string | null,
): FastifyReply {
  reply.code(answer.status).header('Cache-Control', CACHE_CONTROL).header('Vary', VARY);
  if (token !== null && answer.withoutToken !== true) reply.header('NovaCron-Consistency-Token', token);
  if (call.servedFrom !== undefined) reply.header('NovaCron-Served-From', call.servedFrom);
  if (call.replayed) reply.header('Idempotency-Replayed', 'true');
  if (answer.version !== undefined) reply.header('ETag', etagOf(answer.version));
  if (answer.etag !== undefined) reply.header('ETag', answer.etag);
  for (const name in answer.headers) reply.header(name, answer.headers[name]);
  if (answer.text !== undefined) return reply.type('text/plain; charset=utf-8').send(answer.text);
  if (answer.bytes !== undefined) return reply.type(JSON_TYPE).send(answer.bytes);
  if (answer.body === undefined) return reply.send();
  return reply.type(JSON_TYPE).send(JSON.stringify(answer.body));
}

/** Puts any error on the wire as problem+json; the only place where errors become HTTP. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  error: ServiceError,
  token: string | null,
): FastifyReply {
  const problem = toProblem(error, request.id);
  // Also where no hook has run: of a path that no router could read.
  reply.header('X-Request-Id', request.id);
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) reply.header('Retry-After', String(retryAfter));
  if (error.code === 'unauthenticated') reply.header('WWW-Authenticate', 'Bearer realm="novacron"');
  if (token !== null) reply.header('NovaCron-Consistency-Token', token);
  reply.header('Cache-Control', CACHE_CONTROL).header('Vary', VARY);
  // As bytes: to a text Fastify would add a charset, which the media type does not have.
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}
