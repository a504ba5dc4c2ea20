import type { FastifyReply, FastifyRequest } from 'fastify';
import { Consistency } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { takesKey } from '@novacron/contracts/operation';
import { WrongFields } from '@novacron/contracts/validation';
import { z } from 'zod';
import { Call, type Rpc } from '../reads/requester.js';
import type { Caller } from '../reads/caller.js';
import { isMergePatch } from './json-body.js';
import { effectOf, idempotencyOf } from './idempotency.js';
import { normalizeQuery, requireQuery } from './query.js';
import type { AnyRoute } from './route.js';

/**
 * Parses a request by its route's schemas.
 * @throws ServiceError `invalid_request` naming the fields that are wrong: a body's by JSON Pointer, others
 *   with `/path`, `/query` or `/header` in front; `malformed_json` for a body that is missing
 */
export function openCall(
  route: AnyRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
  rpc: Rpc,
): Call {
  const wrong = new WrongFields();
  const params = part(route.params, request.params, '/path', wrong);
  const query = part(route.query, normalizeQuery(requireQuery(request.query), route.lists), '/query', wrong);
  const consistency = part(
    Consistency,
    header(request, 'novacron-consistency') ?? 'causal',
    '/header/NovaCron-Consistency',
    wrong,
  );
  const body = part(bodySchema(route, request, reply), bodyOf(route, request), '', wrong);
  if (wrong.total > 0) throw wrong.error();
  const idempotency = takesKey(route)
    ? idempotencyOf(header(request, 'idempotency-key'), effectOf(route, params), body)
    : undefined;
  return new Call(
    caller,
    params,
    query,
    body,
    request.headers,
    consistency as Consistency,
    rpc,
    request.position,
    idempotency,
    () => goneSignal(reply),
  );
}

function part(schema: z.ZodType | undefined, value: unknown, prefix: string, wrong: WrongFields): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  wrong.add(parsed.error.issues, prefix);
  return undefined;
}

/** A route that takes no body refuses one, rather than to ignore what it says; `{}` of a POST says nothing. */
const NO_BODY = z.undefined({ error: 'this takes no body' });
const NO_FIELDS = z.strictObject({}).optional();

function bodySchema(route: AnyRoute, request: FastifyRequest, reply: FastifyReply): z.ZodType {
  if (!isMergePatch(request.headers)) return route.body ?? (route.method === 'POST' ? NO_FIELDS : NO_BODY);
  if (route.mergePatch !== undefined) return route.mergePatch;
  if (route.method === 'PATCH') reply.header('Accept-Patch', 'application/json');
  throw new ServiceError('unsupported_media_type', 'Send the body as application/json.');
}

function bodyOf(route: AnyRoute, request: FastifyRequest): unknown {
  if (route.body === undefined || request.body !== undefined) return request.body;
  if (route.bodyIsOptional === true) return {};
  throw new ServiceError('malformed_json', 'The body is missing: send a JSON object.');
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** Aborted when the connection closes before the answer is out. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (reply.raw.destroyed) gone.abort();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
