import type { FastifyReply, FastifyRequest } from 'fastify';
import { etagOf } from '../reads/cached-headers.js';

/** What a controller method of an operation returns. `GatewayAdapter` writes it. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  /** A body that is not JSON. */
  readonly text?: string;
  /** A body that is JSON already. */
  readonly bytes?: Buffer;
  /** The resource's version: becomes the ETag. */
  readonly version?: number | undefined;
  /** The ETag of a body without a version. */
  readonly etag?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Leaves NovaCron-Consistency-Token out: the answer promises nothing about later reads. */
  readonly withoutToken?: boolean;
}

export const JSON_TYPE = 'application/json; charset=utf-8';
/** An answer belongs to one caller. A client that keeps it must revalidate it, which costs a 304. */
export const CACHE_CONTROL = 'private, no-cache';
/** Accept-Encoding: the gateway, or a proxy in front of it, compresses bodies from 1,000 bytes on. */
export const VARY =
  'Authorization, Accept-Encoding, Origin, NovaCron-Consistency, NovaCron-Consistency-Token';

/** The headers of consistency, caching and idempotency, as names and values in turn: Node writes them as they are. */
export function answerHeaders(
  token: string | null,
  servedFrom: string | undefined,
  etag: string | undefined,
  replayed = false,
): string[] {
  const fields =
    token === null
      ? ['Cache-Control', CACHE_CONTROL, 'Vary', VARY]
      : ['Cache-Control', CACHE_CONTROL, 'Vary', VARY, 'NovaCron-Consistency-Token', token];
  if (servedFrom !== undefined) fields.push('NovaCron-Served-From', servedFrom);
  if (etag !== undefined) fields.push('ETag', etag);
  if (replayed) fields.push('Idempotency-Replayed', 'true');
  return fields;
}

/** Puts an answer on the wire. */
export function writeAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
  token: string | null,
): FastifyReply {
  const { requester } = request;
  const etag = answer.etag ?? (answer.version === undefined ? undefined : etagOf(answer.version));
  const fields = answerHeaders(
    answer.withoutToken === true ? null : token,
    requester?.servedFrom,
    etag,
    requester?.replayed,
  );
  reply.code(answer.status);
  for (let i = 0; i < fields.length; i += 2) reply.header(fields[i] as string, fields[i + 1]);
  for (const name in answer.headers) reply.header(name, answer.headers[name]);
  if (answer.text !== undefined) return reply.type('text/plain; charset=utf-8').send(answer.text);
  if (answer.bytes !== undefined) return reply.type(JSON_TYPE).send(answer.bytes);
  if (answer.body === undefined) return reply.send();
  return reply.type(JSON_TYPE).send(JSON.stringify(answer.body));
}
