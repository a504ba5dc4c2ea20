import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import { requesterOf } from './request.js';

/** Bytes of bodies in this process at one time. */
const TOTAL = 64 * 1_048_576;

/** Reserves so many bytes more for a body. @throws ServiceError `overloaded` without room */
export type Grow = (bytes: number) => void;

/**
 * Bounds the bytes of request bodies that this process holds. A body with a declared length reserves it before a byte
 * is read. Any other body reserves what has arrived of it, expanded. Both reserve after authentication, until the
 * answer. A tenant never holds more than it leaves free: one tenant has at most half, and several never take all.
 */
export class BodyBudget {
  readonly #byTenant = new Map<string, number>();
  #reserved = 0;

  constructor(private readonly total: number = TOTAL) {}

  /** Bytes that are reserved now. */
  get reserved(): number {
    return this.#reserved;
  }

  /**
   * @param most bytes that the operation takes
   * @throws ServiceError `overloaded` without room. Nothing is reserved when the client has disconnected,
   *   because nothing would free it.
   */
  reserve(request: FastifyRequest, reply: FastifyReply, most: number): Grow {
    const length = bodyBytes(request.headers);
    if (length === 0) return () => undefined;
    if (reply.raw.destroyed) throw clientGone();
    const { tenantId } = requesterOf(request).caller;
    let held = 0;
    const grow: Grow = (bytes) => {
      // The operation refuses a body beyond its limit.
      if (reply.raw.destroyed || held + bytes > most) return;
      this.#require(tenantId, bytes);
      this.#add(tenantId, bytes);
      held += bytes;
    };
    grow(Math.min(length ?? 0, most));
    reply.raw.once('close', () => this.#add(tenantId, -held));
    return grow;
  }

  #require(tenantId: string, bytes: number): void {
    const ofTenant = (this.#byTenant.get(tenantId) ?? 0) + bytes;
    if (ofTenant <= this.total - this.#reserved - bytes) return;
    throw new ServiceError('overloaded', 'Too many bodies are on their way.', { retryAfterMs: 1_000 });
  }

  #add(tenantId: string, bytes: number): void {
    this.#reserved += bytes;
    const ofTenant = (this.#byTenant.get(tenantId) ?? 0) + bytes;
    if (ofTenant === 0) this.#byTenant.delete(tenantId);
    else this.#byTenant.set(tenantId, ofTenant);
  }
}

/** The error of a request whose client has disconnected. It is not logged: the gateway has not failed. */
export function clientGone(): ServiceError {
  return new ServiceError('malformed_request', 'The client has disconnected.');
}

/** The length of a body; null where it is not declared, or where the body is compressed. */
export function bodyBytes(headers: FastifyRequest['headers']): number | null {
  if (headers['transfer-encoding'] !== undefined) return null;
  const length = Number(headers['content-length'] ?? 0);
  return length === 0 || headers['content-encoding'] === undefined ? length : null;
}

const SMALL = 65_536;

/** Whether the unread rest of a refused body is too large to read it only to keep the connection. */
export function isLargeRest({ raw, headers }: FastifyRequest): boolean {
  return !raw.complete && (bodyBytes(headers) ?? Infinity) > SMALL;
}
