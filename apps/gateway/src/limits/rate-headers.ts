import type { FastifyReply } from 'fastify';
import type { TokenBucket } from './token-bucket.js';

/** The caller's remaining rate (draft-ietf-httpapi-ratelimit-headers). */
export function writeRateHeaders(reply: FastifyReply, bucket: TokenBucket): void {
  reply.header('RateLimit-Policy', bucket.policy).header('RateLimit', bucket.state());
}
