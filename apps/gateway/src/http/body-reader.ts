import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { BODY_LIMIT, JSON_LIMITS, MERGE_PATCH, type OperationContract } from '@novacron/contracts/operation';
import { BodyBudget, bodyBytes, clientGone, type Grow } from './body-budget.js';
import { parseJson } from './json-body.js';

/**
 * Reads the body of a request, after the guards have admitted it and within the body budget. Fastify leaves bodies
 * unread.
 */
@Injectable()
export class BodyReader {
  constructor(private readonly budget: BodyBudget) {}

  /**
   * @returns the parsed JSON; undefined for a request without a body
   * @throws ServiceError `unsupported_media_type`, `body_too_large`, `malformed_json`, `overloaded`, …
   */
  async read(request: FastifyRequest, reply: FastifyReply, operation: OperationContract): Promise<unknown> {
    const { headers, raw } = request;
    const length = bodyBytes(headers);
    if (length === 0 && headers['content-type'] === undefined) return undefined;
    const { bodyLimit = BODY_LIMIT, takesGzip = false, jsonLimits = JSON_LIMITS } = operation;
    const grow = this.budget.reserve(request, reply, bodyLimit);
    const coding = codingOf(request);
    if (coding !== 'identity' && !(takesGzip && coding === 'gzip')) throw refuseCoding(reply, takesGzip);
    requireJson(headers['content-type']);
    if (length === 0) return undefined;
    if (Number(headers['content-length'] ?? 0) > bodyLimit) {
      reply.header('Connection', 'close');
      throw tooLarge();
    }
    const reading =
      coding === 'gzip'
        ? expand(raw, bodyLimit, grow)
        : collect(raw, bodyLimit, length === null ? grow : undefined);
    const bytes = await reading.catch((error: unknown) => {
      throw raw.errored === null ? error : clientGone();
    });
    if (length !== null && bytes.length !== length)
      throw new ServiceError('malformed_request', 'Content-Length is not the length of the body.');
    return parseJson(bytes, jsonLimits);
  }
}

function codingOf({ headers }: FastifyRequest): string {
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (bodyBytes(headers) === 0 || coding === '') return 'identity';
  return coding === 'x-gzip' ? 'gzip' : coding;
}

/** With Accept-Encoding for the codings that the operation takes (RFC 9110 §12.5.3). */
function refuseCoding(reply: FastifyReply, takesGzip: boolean): ServiceError {
  reply.header('Accept-Encoding', takesGzip ? 'gzip' : 'identity');
  const what = takesGzip ? 'with Content-Encoding: gzip, or none.' : 'without Content-Encoding.';
  return new ServiceError('unsupported_media_type', `Send the body ${what}`);
}

function requireJson(contentType: string | undefined): void {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json' && type !== MERGE_PATCH)
    throw new ServiceError('unsupported_media_type', 'Send the body as application/json.');
}

function tooLarge(): ServiceError {
  return new ServiceError('body_too_large', 'The body is larger than this route takes.');
}

/** @param grow receives the size of each chunk, where the body does not declare its length */
function collect(source: Readable, limit: number, grow: Grow | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) return end(tooLarge());
      try {
        grow?.(chunk.length);
      } catch (error) {
        return end(error as Error);
      }
      chunks.push(chunk);
    };
    const onEnd = (): void => end();
    // The source goes on flowing, so the rest of a refused body is read and discarded.
    const end = (error?: Error): void => {
      source.off('data', onData).off('end', onEnd).off('error', end);
      if (error !== undefined) {
        source.on('error', () => undefined);
        reject(error);
      } else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    };
    source.on('data', onData).on('end', onEnd).on('error', end);
  });
}

/** Expands a gzip body as it arrives, so that a small body cannot become a large one. */
async function expand(source: Readable, limit: number, grow: Grow): Promise<Buffer> {
  const gunzip = createGunzip();
  const abort = (error?: Error): void => void gunzip.destroy(error);
  source.once('error', abort).once('close', () => {
    if (!source.readableEnded) abort();
  });
  try {
    return await collect(source.pipe(gunzip), limit, grow);
  } finally {
    source.unpipe(gunzip).resume();
    gunzip.on('error', () => undefined).destroy();
  }
}
