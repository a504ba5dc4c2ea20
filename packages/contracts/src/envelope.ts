import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.js';
import { TenantId } from './ids.js';
import { PositionText } from './position.js';
import type { ReplySize } from './reply-size.js';
import { subjectOf } from './subject.js';

/** Version of the envelope's shape; a service refuses one that it does not know. */
export const ENVELOPE_VERSION = 1;

export const Role = z.enum(['owner', 'operator', 'viewer', 'platform_operator']);
export type Role = z.infer<typeof Role>;

export const Consistency = z.enum(['strong', 'causal', 'eventual']);
export type Consistency = z.infer<typeof Consistency>;

/**
 * What a request says beside its body: who asks, how long the asker still waits, and from which position on
 * the answer must be.
 */
export const RequestMeta = z.object({
  tenantId: TenantId,
  principal: z.string().min(1).max(200),
  roles: z.array(Role).max(8),
  /** Milliseconds that the asker still waits, counted from when it sent. */
  remainingMs: z.number().int().positive(),
  consistency: Consistency,
  /** The state answered must not be older than this; null: any. */
  minPosition: PositionText.nullable(),
  idempotency: z
    .object({ key: z.string().min(1).max(255), route: z.string().max(1_000), bodyHash: z.string().max(128) })
    .optional(),
});
export type RequestMeta = z.infer<typeof RequestMeta>;

export interface RpcRequest<Body> {
  readonly meta: RequestMeta;
  readonly body: Body;
}

/** A successful answer: the body, the position at which it was read or written, and the resource's version. */
export interface RpcReply<Body> {
  readonly body: Body;
  readonly position: string | null;
  readonly version?: number | undefined;
  /** The answer was given before, to the same idempotency key. */
  readonly replayed?: boolean | undefined;
  readonly servedFrom?: 'primary' | 'replica' | undefined;
  /**
   * Of a read: the answer holds everything up to here, so it satisfies any token up to it. `position` may be
   * later: it is what the answer may have seen, and what a token must carry on. Caches store this one.
   */
  readonly holds?: string | undefined;
}

/** The JSON text of a body, as it came from the database: it travels as it is, and nobody parses it on the way. */
export class RawBody {
  constructor(readonly json: string) {}
}

/** A reply whose body is text already; over the wire it looks like any other. */
export type RawReply = Omit<RpcReply<unknown>, 'body'> & { readonly body: RawBody };

/** A reply with its body as it came over the wire. */
export type BytesReply = Omit<RpcReply<unknown>, 'body'> & { readonly body: Buffer };

/** One request/reply subject: the only thing that two services know of each other. */
export interface RpcContract<Body extends z.ZodType = z.ZodType, Reply extends z.ZodType = z.ZodType> {
  /** `rpc.<service>.<noun>.<verb>` */
  readonly subject: string;
  readonly body: Body;
  readonly reply: Reply;
  readonly size: ReplySize;
}

/**
 * @param size why every reply fits one message; a test holds each contract to its word
 * @throws IllegalSubject when the subject has a part that may not be in one
 */
export function defineRpc<Body extends z.ZodType, Reply extends z.ZodType>(
  subject: `rpc.${string}.${string}.${string}`,
  body: Body,
  reply: Reply,
  size: ReplySize,
): RpcContract<Body, Reply> {
  return { subject: subjectOf(...subject.split('.')), body, reply, size };
}

export type BodyOf<C extends RpcContract> = z.infer<C['body']>;
/** As it may be sent: the service puts in what has a default. */
export type SentBodyOf<C extends RpcContract> = z.input<C['body']>;
export type ReplyOf<C extends RpcContract> = z.infer<C['reply']>;

/** As it travels: `{v, tenantId, principal, …, body}`. */
export const WireRequest = RequestMeta.extend({ v: z.literal(ENVELOPE_VERSION), body: z.unknown() });
export type WireRequest = z.infer<typeof WireRequest>;

export const WireReply = z.union([
  z.object({
    ok: z.literal(true),
    body: z.unknown(),
    position: PositionText.nullable(),
    version: z.number().int().optional(),
    replayed: z.boolean().optional(),
    servedFrom: z.enum(['primary', 'replica']).optional(),
    holds: PositionText.optional(),
  }),
  z.object({
    ok: z.literal(false),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    detail: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    retryAfterMs: z.number().int().nonnegative().optional(),
    readAt: z.object({ position: PositionText, holds: PositionText }).optional(),
  }),
]);
export type WireReply = z.infer<typeof WireReply>;
