import { hash } from 'node:crypto';
import type { ResourceType } from '@novacron/cache/resources';
import type { RpcContract, SentBodyOf } from '@novacron/contracts/envelope';
import { canonicalJson } from './canonical-json.js';

/** The name of an answer in caches, within its tenant. */
export interface Kept {
  readonly type: ResourceType;
  /** Of the resource, or {@link queryId}. */
  readonly id: string;
  /** What it becomes old with; undefined for a resource with a version. */
  readonly group?: string;
  /** The answer is the same for every tenant. */
  readonly forAll?: boolean;
}

/** What a GET asks of the service that owns the answer. */
export interface Question {
  readonly contract: RpcContract;
  /** Made when it is asked, as a range may end now. */
  readonly body: () => unknown;
  /** null: no cache holds the answer. */
  readonly kept: Kept | null;
}

/** A question with a body that fits its contract. */
export function question<C extends RpcContract>(
  contract: C,
  body: SentBodyOf<C> | (() => SentBodyOf<C>),
  kept: Kept | null,
): Question {
  return { contract, body: typeof body === 'function' ? (body as () => unknown) : () => body, kept };
}

/** One id for all spellings of a query. */
export function queryId(query: unknown): string {
  return hash('sha1', canonicalJson(query), 'base64url');
}
