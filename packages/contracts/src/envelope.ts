import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.js';
import { TenantId } from './ids.js';
import { PositionText } from './position.js';
import type { ReplySize } from './reply-size.js';
import { subjectOf } from './subject.js';

/** The version of the envelope. A service refuses an unknown version. */
export const ENVELOPE_VERSION = 1;

export const Role = z.enum(['owner', 'operator', 'viewer', 'platform_operator']);
export type Role = z.infer<typeof Role>;

export const Consistency = z.enum(['strong', 'causal', 'eventual']);
export type Consistency = z.infer<typeof Consistency>;

/**
 * The metadata of a request: the caller, the remaining time, and the position that the answer must have reached.
 */
export const RequestMeta = z.object({
  tenantId: TenantId,
  principal: z.string().min(1).max(200),
  roles: z.array(Role).max(8),
  /** Milliseconds that the requester still waits, counted from the send. */
  remainingMs: z.number().int().positive(),
  consistency: Consistency,
  /** The answer must not be older than this position. Null: any position will do. */
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

/** A successful reply: the body, the position of the read or write, and the resource's version. */
export interface RpcReply<Body> {
  readonly body: Body;
  readonly position: string | null;
  readonly version?: number | undefined;
  /** The reply repeats an earlier one to the same idempotency key. */
  readonly replayed?: boolean | undefined;
  readonly servedFrom?: 'primary' | 'replica' | undefined;
  /**
   * The lower bound of a read's position: the reply contains every change up to here, so it satisfies any token up to
   * here. Caches store it. `position` is the upper bound: the reply may contain changes up to there, and the caller's
   * next token carries it.
   */
  readonly holds?: string | undefined;
}

/** The JSON text of a body from the database. It travels to the client unparsed. */
export class RawBody {
  constructor(readonly json: string) {}
}

/** A reply whose body is already JSON text. On the wire it looks like any other. */
export type RawReply = Omit<RpcReply<unknown>, 'body'> & { readonly body: RawBody };

/** A reply with the bytes of its body, unparsed. */
export type BytesReply = Omit<RpcReply<unknown>, 'body'> & { readonly body: Buffer };

/** One request/reply subject. Services know nothing else of each other. */
export interface RpcContract<Body extends z.ZodType = z.ZodType, Reply extends z.ZodType = z.ZodType> {
  /** `rpc.<service>.<noun>.<verb>` */
  readonly subject: string;
  readonly body: Body;
  readonly reply: Reply;
  readonly size: ReplySize;
}

/**
 * @param size why every reply fits one message; a test checks each contract
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
/** The body before the service fills in defaults. */
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
