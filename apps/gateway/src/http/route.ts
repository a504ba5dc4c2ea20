import type { InputOf, OperationContract } from '@novacron/contracts/operation';
import type { Question } from '../reads/cacheable-query.js';
import type { Call } from '../reads/requester.js';
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

/** The path and query of a request to a read. */
type ReadInput<Op extends OperationContract> = Pick<InputOf<Op>, 'params' | 'query'>;
type CallOf<Op extends OperationContract> = Call<
  InputOf<Op>['params'],
  InputOf<Op>['query'],
  InputOf<Op>['body']
>;

/** An operation with its implementation. */
export interface AnyRoute extends OperationContract {
  /** The question of a GET that caches may answer. */
  readonly question?: (input: { readonly params: never; readonly query: never }) => Question;
  handle(call: Call<never, never, never>, services: Services): Promise<Answer>;
}

/** Implements an operation of the contracts. */
export function implement<Op extends OperationContract>(
  operation: Op,
  handle: (call: CallOf<Op>, services: Services) => Promise<Answer>,
): AnyRoute {
  return { ...operation, handle };
}

/** Implements a GET whose answer comes from one service, and which caches may have. */
export function implementRead<Op extends OperationContract>(
  operation: Op,
  ask: (input: ReadInput<Op>) => Question,
): AnyRoute {
  return {
    ...operation,
    question: ask,
    handle: (call: CallOf<Op>, { reads }: Services) => reads.answer(call, ask(call)),
  };
}
