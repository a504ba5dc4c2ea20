import { createGunzip } from 'node:zlib';
import { PassThrough, type Transform } from 'node:stream';
import { ServiceError } from '@novacron/contracts/errors';
import type { FastifyReply, FastifyRequest, RequestPayload } from 'fastify';
import { bodyBytes, type Grow } from './body-budget.js';
import type { AnyRoute } from './route.js';

/**
 * The body of a request without its content coding. Routes that take gzip expand it as it arrives: Fastify counts the
 * expanded bytes, and ends at the route's limit, so a small body cannot become a large one.
 * @param grow told of the bytes as they arrive, expanded, where the body does not say its length
 * Fails with ServiceError `unsupported_media_type`, with Accept-Encoding for what is taken (RFC 9110 §12.5.3)
 */
export function decodeBody(
  { takesGzip }: Pick<AnyRoute, 'takesGzip'>,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: RequestPayload,
  grow: Grow,
  done: (error: Error | null, payload?: RequestPayload) => void,
): void {
  const coding = codingOf(request);
  if (coding === 'identity' && bodyBytes(request.headers) !== null) return done(null, payload);
  const isTaken = coding === 'identity' || (takesGzip === true && coding === 'gzip');
  if (!isTaken) return done(refuse(reply, takesGzip === true));
  const body = counted(payload, coding === 'gzip' ? createGunzip() : new PassThrough(), grow);
  reply.raw.once('close', () => body.destroy());
  done(null, body);
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

/** What `decoder` makes of a body. Counts what arrived, which Fastify compares with Content-Length, and what became of it. */
function counted(payload: RequestPayload, decoder: Transform, grow: Grow): Transform {
  const body = Object.assign(decoder, { receivedEncodedLength: 0 });
  payload.on('data', (chunk: Buffer) => void (body.receivedEncodedLength += chunk.length));
  payload.once('error', (error) => body.destroy(error));
  payload.once('close', () => {
    if (!payload.readableEnded) body.destroy();
  });
  body.on('data', (chunk: Buffer) => {
    try {
      grow(chunk.length);
    } catch (error) {
      body.destroy(error as Error);
    }
  });
  // Fastify stops listening where it refuses a body; an error after that must not end the process.
  body.on('error', () => undefined);
  // What is left of a body that was refused is read and forgotten, as without a coding.
  body.once('close', () => payload.unpipe(body).resume());
  return payload.pipe(body);
}
