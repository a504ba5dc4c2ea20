import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OperationContract } from '@novacron/contracts/operation';
import type { Position } from '@novacron/contracts/position';
import type { TokenBucket } from '../limits/token-bucket.js';
import type { Caller } from '../reads/caller.js';
import type { Requester } from '../reads/requester.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The operation that the request is routed to; null before the guards and on public pages. */
    operation: OperationContract | null;
    /** null before authentication and on public pages. */
    caller: Caller | null;
    /** The bucket that the request was taken from. undefined: not counted yet. null: no limit. */
    bucket: TokenBucket | null | undefined;
    /** The lower bound of the position in the answer's consistency token. */
    position: Position | null;
    /** null until the guards have admitted the request. */
    requester: Requester | null;
    /** The caller asked to wait: packages/telemetry measures such a request apart. */
    waits: boolean;
  }
}

/** The {@link Requester} of a request that the guards have admitted. */
export function requesterOf({ requester }: FastifyRequest): Requester {
  if (requester === null) throw new Error('The guards have not admitted this request.');
  return requester;
}

/** The operation of a request that the guards have admitted. */
export function requestedOperation({ operation }: FastifyRequest): OperationContract {
  if (operation === null) throw new Error('This request is not for an operation.');
  return operation;
}

/** Declares what guards and hooks keep on a request. */
export function decorateRequests(fastify: FastifyInstance): void {
  fastify.decorateRequest('operation', null);
  fastify.decorateRequest('caller', null);
  fastify.decorateRequest('bucket', undefined);
  fastify.decorateRequest('position', null);
  fastify.decorateRequest('requester', null);
}
