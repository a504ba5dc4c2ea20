import type { FastifyReply, FastifyRequest } from 'fastify';
import { Consistency } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { takesKey, type OperationContract } from '@novacron/contracts/operation';
import { WrongFields } from '@novacron/contracts/validation';
import { z } from 'zod';
import { effectOf, idempotencyOf } from './idempotency.js';
import { isMergePatch } from './json-body.js';
import { preferredWait } from './prefer.js';
import { normalizeQuery, requireQuery } from './query.js';
import { requesterOf } from './request.js';

/** The parts of a request, parsed. */
export interface ParsedInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/**
 * Parses a request by its operation's schemas, and gives its requester the consistency and the Idempotency-Key.
 * @throws ServiceError `invalid_request` that names the wrong fields: those of a body by JSON Pointer, others with
 *   `/path`, `/query` or `/header` in front; `malformed_json` for a missing body
 */
export function parseInput(
  operation: OperationContract,
  request: FastifyRequest,
  reply: FastifyReply,
  given: unknown,
): ParsedInput {
  const wrong = new WrongFields();
  const requester = requesterOf(request);
  if (operation.headers?.includes('Prefer') === true)
    request.waits = preferredWait(request.headers.prefer) > 0;
  const params = part(operation.params, request.params, '/path', wrong);
  const query = part(
    operation.query,
    normalizeQuery(requireQuery(request.query), operation.lists),
    '/query',
    wrong,
  );
  const consistency = part(
    Consistency,
    header(request, 'novacron-consistency') ?? 'causal',
    '/header/NovaCron-Consistency',
    wrong,
  );
  const body = part(bodySchema(operation, request, reply), bodyOf(operation, given), '', wrong);
  if (wrong.total > 0) throw wrong.error();
  requester.consistency = consistency as Consistency;
  if (takesKey(operation)) {
    const key = header(request, 'idempotency-key');
    if (key !== undefined) requester.idempotency = idempotencyOf(key, effectOf(operation, params), body);
  }
  return { params, query, body };
}

function part(schema: z.ZodType | undefined, value: unknown, prefix: string, wrong: WrongFields): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  wrong.add(parsed.error.issues, prefix);
  return undefined;
}

/** An operation without a body refuses one, instead of ignoring it. `{}` of a POST has no content. */
const NO_BODY = z.undefined({ error: 'this takes no body' });
const NO_FIELDS = z.strictObject({}).optional();

function bodySchema(operation: OperationContract, request: FastifyRequest, reply: FastifyReply): z.ZodType {
  const { body, mergePatch, method } = operation;
  if (!isMergePatch(request.headers)) return body ?? (method === 'POST' ? NO_FIELDS : NO_BODY);
  if (mergePatch !== undefined) return mergePatch;
  if (method === 'PATCH') reply.header('Accept-Patch', 'application/json');
  throw new ServiceError('unsupported_media_type', 'Send the body as application/json.');
}

function bodyOf(operation: OperationContract, given: unknown): unknown {
  if (operation.body === undefined || given !== undefined) return given;
  if (operation.bodyIsOptional === true) return {};
  throw new ServiceError('malformed_json', 'The body is missing: send a JSON object.');
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}
