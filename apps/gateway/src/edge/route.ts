import type { ErrorCode } from '@novacron/contracts/errors';
import type { z } from 'zod';
import type { Access } from './access.js';
import type { Question } from '../reads/question.js';
import type { Call } from './call.js';
import type { JsonLimits } from './json-shape.js';
import type { ListStyle } from './query.js';
import type { Services } from './services.js';

/** What a handler returns: mapped to HTTP in one place, `send.ts`. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  /** A body that is not JSON. */
  readonly text?: string;
  /** A body that is JSON already. */
  readonly bytes?: Buffer;
  /** The resource's version: becomes the ETag. */
  readonly version?: number | undefined;
  /** The ETag of what has no version. */
  readonly etag?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Leave NovaCron-Consistency-Token out: the answer promises nothing about later reads. */
  readonly withoutToken?: boolean;
}

/** One answer of a route, for the OpenAPI document. */
export interface AnswerDoc {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly contentType?: string;
  readonly headers?: readonly ResponseHeader[];
}

export type ResponseHeader =
  'ETag' | 'Location' | 'Idempotency-Replayed' | 'Preference-Applied' | 'NovaCron-Truncated';
export type RequestHeader = 'If-Match' | 'If-None-Match' | 'Prefer';

type Shape<S> = S extends z.ZodType ? z.infer<S> : undefined;

export interface Route<
  Params extends z.ZodObject | undefined = z.ZodObject | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | undefined = z.ZodType | undefined,
> {
  /** The OpenAPI operationId. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With OpenAPI's braces: `/api/v1/vms/{id}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: Exclude<Access, 'public'>;
  readonly params?: Params;
  readonly query?: Query;
  /** Query parameters that may be given several times. */
  readonly lists?: Readonly<Record<string, ListStyle>>;
  readonly body?: Body;
  /** The body of `application/merge-patch+json`; without one, that is refused. */
  readonly mergePatch?: z.ZodType;
  /** No body is `{}`. */
  readonly bodyIsOptional?: boolean;
  /** Bytes; 1 MiB unless told. */
  readonly bodyLimit?: number;
  /** What the body may consist of; JSON_LIMITS unless told. */
  readonly jsonLimits?: JsonLimits;
  /** The body may come with `Content-Encoding: gzip`; `bodyLimit` is of the expanded one. */
  readonly takesGzip?: boolean;
  /** No Idempotency-Key although it is a POST. */
  readonly takesNoKey?: boolean;
  /** Waits on purpose: not called slow. */
  readonly longLived?: boolean;
  readonly headers?: readonly RequestHeader[];
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** Beyond those that every route has. */
  readonly errors: readonly ErrorCode[];
  /** What a GET asks that caches may answer. */
  readonly question?: (asked: RouteParts<Params, Query>) => Question;
  handle(call: Call<Shape<Params>, Shape<Query>, Shape<Body>>, services: Services): Promise<Answer>;
}

/** The parsed path and query of a request. */
export interface RouteParts<Params extends z.ZodObject | undefined, Query extends z.ZodType | undefined> {
  readonly params: Shape<Params>;
  readonly query: Shape<Query>;
}

/** Any route, once its types have done their work. */
export type AnyRoute = Omit<Route, 'handle' | 'question'> & {
  readonly question?: (asked: { readonly params: never; readonly query: never }) => Question;
  handle(call: Call<never, never, never>, services: Services): Promise<Answer>;
};

/** Gives a route's handler the types of its schemas. */
export function defineRoute<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(route: Route<Params, Query, Body>): AnyRoute {
  return route as unknown as AnyRoute;
}
