import { createGunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import { ServiceError } from '@novacron/contracts/errors';
import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import type { AnyRoute } from './route.js';

/**
 * The body of a request without its content coding. Routes that take gzip expand it as it arrives: Fastify counts the
 * expanded bytes, and ends at the route's limit, so a small body cannot become a large one.
 * Fails with ServiceError `unsupported_media_type`, with Accept-Encoding for what is taken (RFC 9110 §12.5.3)
 */
export function decodeBody(
  { takesGzip }: Pick<AnyRoute, 'takesGzip'>,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: RequestPayload,
  done: (error: Error | null, payload?: RequestPayload) => void,
): void {
  const coding = codingOf(request);
  if (coding === 'identity') return done(null, payload);
  if (takesGzip !== true || coding !== 'gzip') return done(refuse(reply, takesGzip === true));
  const expanded = gunzipped(payload);
  reply.raw.once('close', () => expanded.destroy());
  done(null, expanded);
}

function codingOf({ headers }: FastifyRequest): string {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (!hasBody || coding === '') return 'identity';
  return coding === 'x-gzip' ? 'gzip' : coding;
}

function refuse(reply: FastifyReply, takesGzip: boolean): ServiceError {
  reply.header('Accept-Encoding', takesGzip ? 'gzip' : 'identity');
  const what = takesGzip ? 'with Content-Encoding: gzip, or none.' : 'without Content-Encoding.';
  return new ServiceError('unsupported_media_type', `Send the body ${what}`);
}

/** Counts what arrived, which Fastify compares with Content-Length. */
function gunzipped(payload: RequestPayload): Readable {
  const expanded = Object.assign(createGunzip(), { receivedEncodedLength: 0 });
  payload.on('data', (chunk: Buffer) => void (expanded.receivedEncodedLength += chunk.length));
  payload.once('error', (error) => expanded.destroy(error));
  payload.once('close', () => {
    if (!payload.readableEnded) expanded.destroy();
  });
  // What is left of a body that was refused is read and forgotten, as without a coding.
  expanded.once('close', () => payload.unpipe(expanded).resume());
  return payload.pipe(expanded);
}
