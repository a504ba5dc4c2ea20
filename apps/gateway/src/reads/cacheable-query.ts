import { hash } from 'node:crypto';
import type { ResourceType } from '@novacron/cache/resources';
import type { RpcContract, SentBodyOf } from '@novacron/contracts/envelope';
import { canonicalJson } from './canonical-json.js';

/** The name of an answer in caches, within its tenant. Only operations with access `read` have cached answers. */
export interface CacheKey {
  readonly type: ResourceType;
  /** The resource's id, or {@link queryId}. */
  readonly id: string;
  /** The group whose events invalidate the answer; undefined for a resource with a version. */
  readonly group?: string;
  /** The answer is the same for every tenant. */
  readonly forAll?: boolean;
}

/** A GET as a request to the service that owns the answer. */
export interface CacheableQuery {
  readonly contract: RpcContract;
  /** Evaluated for each request, because a range may end at the present. */
  readonly body: () => unknown;
  /** null: caches do not hold the answer. */
  readonly key: CacheKey | null;
}

/** A query whose answer caches may hold. */
export type CachedQuery = CacheableQuery & { readonly key: CacheKey };

/** A query with a body that fits its contract. */
export function cacheableQuery<C extends RpcContract>(
  contract: C,
  body: SentBodyOf<C> | (() => SentBodyOf<C>),
  key: CacheKey | null,
): CacheableQuery {
  return { contract, body: typeof body === 'function' ? (body as () => unknown) : () => body, key };
}

/** One id for all spellings of a query. */
export function queryId(query: unknown): string {
  return hash('sha1', canonicalJson(query), 'base64url');
}
