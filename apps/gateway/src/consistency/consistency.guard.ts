import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { Requester } from '../reads/requester.js';
import { RequestConsistency } from './consistency.js';

/**
 * Takes the position that the request presents, and opens its {@link Requester} there. It follows the rate limit,
 * so that a wrong token costs as much as a right one.
 */
@Injectable()
export class ConsistencyGuard implements CanActivate {
  constructor(
    private readonly consistency: RequestConsistency,
    private readonly rpc: RpcClient,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.getArgByIndex<FastifyRequest>(0);
    const { caller } = request;
    if (caller === null) return true;
    this.consistency.takePresented(request);
    const { raw } = context.getArgByIndex<FastifyReply>(1);
    request.requester = new Requester(caller, request.position, this.rpc, {
      url: request.raw.url as string,
      headers: request.headers,
      gone: () => {
        const gone = new AbortController();
        if (raw.destroyed) gone.abort();
        raw.once('close', () => gone.abort());
        return gone.signal;
      },
    });
    return true;
  }
}
