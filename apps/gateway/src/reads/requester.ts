import type { IncomingHttpHeaders } from 'node:http';
import type {
  BodyOf,
  BytesReply,
  Consistency,
  ReplyOf,
  RequestMeta,
  RpcContract,
  RpcReply,
} from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { formatPosition, parsePosition, type Position } from '@novacron/contracts/position';
import type { Caller } from './caller.js';
import { later } from '../consistency/positions.js';

/** How long a service has to answer, unless a route says otherwise. */
export const DEADLINE_MS = 10_000;

/** What the gateway asks the services through; `RpcClient` of packages/messaging. */
export interface Rpc {
  request<C extends RpcContract>(
    contract: C,
    meta: RequestMeta,
    body: BodyOf<C>,
  ): Promise<RpcReply<ReplyOf<C>>>;
  requestRaw(contract: RpcContract, meta: RequestMeta, body: unknown): Promise<BytesReply>;
}

/**
 * One request, parsed and authorized. Carries the caller's position along: every question is asked at what
 * the caller has seen so far, and every answer moves it forward.
 */
export class Call<Params = unknown, Query = unknown, Body = unknown> {
  servedFrom: 'l1' | 'l2' | 'primary' | 'replica' | undefined;
  /** An effect of this call was answered before, to the same Idempotency-Key. */
  replayed = false;
  /** The highest of what was presented, written and seen. */
  position: Position | null;

  constructor(
    readonly caller: Caller,
    readonly params: Params,
    readonly query: Query,
    readonly body: Body,
    readonly headers: IncomingHttpHeaders,
    readonly consistency: Consistency,
    private readonly rpc: Rpc,
    position: Position | null,
    private readonly idempotency: RequestMeta['idempotency'],
    /** A signal that is aborted when the client has gone away. */
    readonly gone: () => AbortSignal,
  ) {
    this.position = position;
  }

  /**
   * Asks a service for the caller. Changes made by `ask` belong to the request's Idempotency-Key.
   * @param deadlineMs how long the answer may take
   * @throws ServiceError as the service answered it, or `dependency_down`, `deadline_exceeded`
   */
  async ask<C extends RpcContract>(
    contract: C,
    body: BodyOf<C>,
    deadlineMs = DEADLINE_MS,
  ): Promise<RpcReply<ReplyOf<C>>> {
    return this.noting(this.rpc.request(contract, this.meta(deadlineMs), body));
  }

  /** As {@link ask}, with the answer's body as the JSON that came. */
  askBytes(contract: RpcContract, body: unknown): Promise<BytesReply> {
    return this.noting(this.rpc.requestRaw(contract, this.meta(DEADLINE_MS), body));
  }

  private async noting<R extends RpcReply<unknown>>(asked: Promise<R>): Promise<R> {
    try {
      const reply = await asked;
      if (reply.position !== null) this.saw(parsePosition(reply.position));
      // Services say it of reads; a change is made on the primary.
      if (reply.position !== null) this.servedFrom = reply.servedFrom ?? 'primary';
      if (reply.replayed === true) this.replayed = true;
      return reply;
    } catch (error) {
      // That there is nothing is something seen, too.
      if (error instanceof ServiceError && error.readAt) this.saw(parsePosition(error.readAt.position));
      throw error;
    }
  }

  /** The answer shows state as of this position. */
  saw(position: Position): void {
    this.position = this.position === null ? position : later(this.position, position);
  }

  private meta(remainingMs: number): RequestMeta {
    return {
      tenantId: this.caller.tenantId,
      principal: this.caller.principal,
      roles: [...this.caller.roles],
      // Whole milliseconds, as the envelope has them.
      remainingMs: Math.max(1, Math.ceil(remainingMs)),
      consistency: this.consistency,
      minPosition:
        this.consistency === 'eventual' || this.position === null ? null : formatPosition(this.position),
      ...(this.idempotency === undefined ? {} : { idempotency: this.idempotency }),
    };
  }
}
