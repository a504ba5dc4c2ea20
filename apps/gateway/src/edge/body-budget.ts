import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';
import type { Caller } from './caller.js';

/** Bytes of a body, where a route names no other limit. */
export const BODY_LIMIT = 1_048_576;

/** Bytes of bodies in this process at one time. */
export interface BodyLimits {
  readonly total: number;
  /** Of one tenant: the others always have the rest. */
  readonly perTenant: number;
}

const BODY_LIMITS: BodyLimits = { total: 64 * 1_048_576, perTenant: 32 * 1_048_576 };

/**
 * Bounds the bytes of request bodies that this process holds. A request reserves its whole body once it is
 * authenticated and before a byte of it is read, and frees it when it is answered.
 */
export class BodyBudget {
  readonly #byTenant = new Map<string, number>();
  #reserved = 0;

  constructor(private readonly limits: BodyLimits = BODY_LIMITS) {}

  /** Bytes that are reserved now. */
  get reserved(): number {
    return this.#reserved;
  }

  /** @param most bytes that the route takes @throws ServiceError `overloaded` when there is no room */
  reserve({ headers }: FastifyRequest, reply: FastifyReply, { tenantId }: Caller, most: number): void {
    const bytes = bodyBytes(headers, most);
    if (bytes === 0) return;
    const ofTenant = this.#byTenant.get(tenantId) ?? 0;
    if (this.#reserved + bytes > this.limits.total || ofTenant + bytes > this.limits.perTenant) {
      throw new ServiceError('overloaded', 'Too many bodies are on their way.', { retryAfterMs: 1_000 });
    }
    this.#add(tenantId, bytes);
    reply.raw.once('close', () => this.#add(tenantId, -bytes));
  }

  #add(tenantId: string, bytes: number): void {
    this.#reserved += bytes;
    const ofTenant = (this.#byTenant.get(tenantId) ?? 0) + bytes;
    if (ofTenant === 0) this.#byTenant.delete(tenantId);
    else this.#byTenant.set(tenantId, ofTenant);
  }
}

/** What a body may come to: its length where it says one, else, also where it is compressed, what the route takes. */
function bodyBytes(headers: FastifyRequest['headers'], most: number): number {
  if (headers['transfer-encoding'] !== undefined) return most;
  const length = Number(headers['content-length'] ?? 0);
  if (length === 0) return 0;
  return headers['content-encoding'] === undefined ? Math.min(length, most) : most;
}

const SMALL = 65_536;

/** Whether more of a body is to come than is worth reading to keep the connection: node reads the rest of a refused one. */
export function isLargeRest({ raw, headers }: FastifyRequest): boolean {
  return !raw.complete && bodyBytes(headers, Infinity) > SMALL;
}
