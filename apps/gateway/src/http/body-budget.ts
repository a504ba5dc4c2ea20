import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import type { Caller } from '../reads/caller.js';

/** Bytes of bodies in this process at one time. */
const TOTAL = 64 * 1_048_576;

/** Reserves so many bytes more for a body. @throws ServiceError `overloaded` when there is no room */
export type Grow = (bytes: number) => void;

/**
 * Bounds the bytes of request bodies that this process holds. A body that says its length reserves it before a byte is
 * read, any other what has arrived of it, expanded; both once the request is authenticated, until it is answered.
 * A tenant never holds more than it leaves free: one has at most half, and several never take all.
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
   * @param most bytes that the route takes
   * @returns null when the client has left: nothing is reserved, as nothing would free it
   * @throws ServiceError `overloaded` when there is no room
   */
  reserve({ headers }: FastifyRequest, reply: FastifyReply, { tenantId }: Caller, most: number): Grow | null {
    const length = bodyBytes(headers);
    if (length === 0) return () => undefined;
    if (reply.raw.destroyed) return null;
    let held = 0;
    const grow: Grow = (bytes) => {
      // The route refuses what is beyond its limit.
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

/** The length of a body; null where none says it, or where the body is compressed. */
export function bodyBytes(headers: FastifyRequest['headers']): number | null {
  if (headers['transfer-encoding'] !== undefined) return null;
  const length = Number(headers['content-length'] ?? 0);
  return length === 0 || headers['content-encoding'] === undefined ? length : null;
}

const SMALL = 65_536;

/** Whether more of a body is to come than is worth reading to keep the connection: node reads the rest of a refused one. */
export function isLargeRest({ raw, headers }: FastifyRequest): boolean {
  return !raw.complete && (bodyBytes(headers) ?? Infinity) > SMALL;
}
