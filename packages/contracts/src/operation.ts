import type { z } from 'zod';
import type { Role } from './envelope.js';
import type { ErrorCode } from './errors.js';

/** The roles that each kind of access admits. An operation names a kind, never roles. */
export const ACCESS = {
  /** Reads the tenant's own resources. */
  read: ['viewer', 'operator', 'owner', 'platform_operator'],
  /** Changes the tenant's own resources. */
  operate: ['operator', 'owner', 'platform_operator'],
  /** Reads or changes resources that belong to all tenants, such as hosts. */
  platform: ['platform_operator'],
} as const satisfies Record<string, readonly Role[]>;

export type Access = keyof typeof ACCESS;

/** How a query parameter with several values is written: `a=1&a=2`, or also `a=1,2`. */
export type ListStyle = 'repeat' | 'comma';

/** The maximum number of bytes in a body, unless the operation sets its own. */
export const BODY_LIMIT = 1_048_576;

/** The maxima of a JSON body. The server checks them before it parses the body. */
export interface JsonLimits {
  /** Nesting of arrays and objects. */
  readonly depth: number;
  /** Fields of one object. */
  readonly fields: number;
  /** Items of one array. */
  readonly items: number;
  /** All values: objects, arrays, and the values in them. */
  readonly values: number;
  /** Bytes of one string as it is written, escapes included. */
  readonly string: number;
}

/**
 * No schema needs as much. A body within these limits has so few values that an error for each costs little. The
 * longest legal string is user data of 65,536 units, each written as `\\uXXXX`.
 */
export const JSON_LIMITS: JsonLimits = {
  depth: 16,
  fields: 1_000,
  items: 1_000,
  values: 5_000,
  string: 400_000,
};

/** The media type of a JSON Merge Patch (RFC 7396). */
export const MERGE_PATCH = 'application/merge-patch+json';

export type RequestHeader = 'If-Match' | 'If-None-Match' | 'Prefer';
export type ResponseHeader =
  'ETag' | 'Location' | 'Idempotency-Replayed' | 'Preference-Applied' | 'NovaCron-Truncated';

/** One successful answer of an operation. */
export interface AnswerContract {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** A media type that is offered beside JSON. */
  readonly contentType?: string;
  readonly headers?: readonly ResponseHeader[];
}

/**
 * One HTTP operation of the API, as data. The gateway implements it. The OpenAPI document and every client are
 * generated from it.
 */
export interface OperationContract<
  Params extends z.ZodObject | undefined = z.ZodObject | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | undefined = z.ZodType | undefined,
  Patch extends z.ZodType | undefined = z.ZodType | undefined,
> {
  /** The OpenAPI operationId. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With OpenAPI's braces: `/api/v1/vms/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  readonly params?: Params;
  readonly query?: Query;
  /** Query parameters that may be given several times. */
  readonly lists?: Readonly<Record<string, ListStyle>>;
  readonly body?: Body;
  /** The schema of an `application/merge-patch+json` body. Without one, the operation refuses this media type. */
  readonly mergePatch?: Patch;
  /** A missing body means `{}`. */
  readonly bodyIsOptional?: boolean;
  /** Bytes; {@link BODY_LIMIT} by default. */
  readonly bodyLimit?: number;
  /** {@link JSON_LIMITS} by default. */
  readonly jsonLimits?: JsonLimits;
  /** The body may have `Content-Encoding: gzip`. `bodyLimit` then counts the expanded bytes. */
  readonly takesGzip?: boolean;
  /** The operation is a POST without an Idempotency-Key. */
  readonly takesNoKey?: boolean;
  /** The operation waits on purpose: its latency is not measured, and it consumes no rate. */
  readonly longLived?: boolean;
  readonly headers?: readonly RequestHeader[];
  readonly answers: Readonly<Record<number, AnswerContract>>;
  /** Its errors beyond those that any operation may answer. */
  readonly errors: readonly ErrorCode[];
}

type Parsed<Schema> = Schema extends z.ZodType ? z.infer<Schema> : undefined;

/** The parts of a request, as the operation's schemas parse them. */
export type InputOf<Op extends OperationContract> =
  Op extends OperationContract<infer Params, infer Query, infer Body, infer Patch>
    ? {
        readonly params: Parsed<Params>;
        readonly query: Parsed<Query>;
        /** A merge patch where its media type was sent. */
        readonly body: Parsed<Body> | (Patch extends z.ZodType ? z.infer<Patch> : never);
      }
    : never;

/** Declares an operation and keeps the types of its schemas for {@link InputOf}. */
export function defineOperation<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
  Patch extends z.ZodType | undefined = undefined,
>(operation: OperationContract<Params, Query, Body, Patch>): OperationContract<Params, Query, Body, Patch> {
  return operation;
}

type Read<Params extends z.ZodObject | undefined, Query extends z.ZodType | undefined> = Omit<
  OperationContract<Params, Query, undefined, undefined>,
  'method' | 'headers' | 'answers' | 'body' | 'mergePatch'
> & {
  /** The answer with status 200. */
  readonly answer: { readonly description: string; readonly schema: z.ZodType };
};

/** Declares a GET with an ETag: it answers 304 when If-None-Match names the present one. */
export function defineRead<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
>({ answer, ...read }: Read<Params, Query>): OperationContract<Params, Query, undefined, undefined> {
  return {
    ...read,
    method: 'GET',
    headers: ['If-None-Match'],
    answers: {
      200: { ...answer, headers: ['ETag'] },
      304: { description: 'The resource still has the ETag of If-None-Match.', headers: ['ETag'] },
    },
  };
}

/** Whether the operation takes an Idempotency-Key: each POST does, unless it says otherwise. */
export function takesKey({ method, takesNoKey }: OperationContract): boolean {
  return method === 'POST' && takesNoKey !== true;
}
