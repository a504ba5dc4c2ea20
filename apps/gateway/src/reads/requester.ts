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
import { formatPosition, maxPosition, parsePosition, type Position } from '@novacron/contracts/position';
import type { Caller } from './caller.js';

/** How long a service has to answer, unless an operation says otherwise. */
export const DEADLINE_MS = 10_000;

/** The client through which the gateway calls services; `RpcClient` of packages/messaging. */
export interface Rpc {
  request<C extends RpcContract>(
    contract: C,
    meta: RequestMeta,
    body: BodyOf<C>,
  ): Promise<RpcReply<ReplyOf<C>>>;
  requestRaw(contract: RpcContract, meta: RequestMeta, body: unknown): Promise<BytesReply>;
}

/** The HTTP request behind a requester. */
export interface RequesterHttp {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** A signal that is aborted when the client disconnects. */
  readonly gone: () => AbortSignal;
}

/**
 * Calls services on behalf of one request. It carries the caller's position along: every call is made at the highest
 * position that the caller has observed, and every reply advances it.
 */
export class Requester {
  servedFrom: 'l1' | 'l2' | 'primary' | 'replica' | undefined;
  /** A service has answered this request before, for the same Idempotency-Key. */
  replayed = false;
  consistency: Consistency = 'causal';
  /** Sent with every change that the request makes. */
  idempotency: RequestMeta['idempotency'];

  constructor(
    readonly caller: Caller,
    /** The highest position that was presented, written or observed. */
    public position: Position | null,
    private readonly rpc: Rpc,
    readonly http: RequesterHttp,
  ) {}

  get headers(): IncomingHttpHeaders {
    return this.http.headers;
  }

  /**
   * Calls a service. Changes belong to the request's Idempotency-Key.
   * @param deadlineMs how long the reply may take
   * @throws ServiceError as the service replied, or `dependency_down`, `deadline_exceeded`
   */
  request<C extends RpcContract>(
    contract: C,
    body: BodyOf<C>,
    deadlineMs = DEADLINE_MS,
  ): Promise<RpcReply<ReplyOf<C>>> {
    return this.#observing(this.rpc.request(contract, this.#meta(deadlineMs), body));
  }

  /** Like {@link request}, with the reply's body as the JSON that the service sent. */
  requestRaw(contract: RpcContract, body: unknown): Promise<BytesReply> {
    return this.#observing(this.rpc.requestRaw(contract, this.#meta(DEADLINE_MS), body));
  }

  /** The answer shows the state at this position. */
  observe(position: Position): void {
    this.position = this.position === null ? position : later(this.position, position);
  }

  async #observing<R extends RpcReply<unknown>>(call: Promise<R>): Promise<R> {
    try {
      const reply = await call;
      if (reply.position !== null) {
        this.observe(parsePosition(reply.position));
        // Services name the server of a read; a change is made on the primary.
        this.servedFrom = reply.servedFrom ?? 'primary';
      }
      if (reply.replayed === true) this.replayed = true;
      return reply;
    } catch (error) {
      // An absence is an observation as well.
      if (error instanceof ServiceError && error.readAt) this.observe(parsePosition(error.readAt.position));
      throw error;
    }
  }

  #meta(remainingMs: number): RequestMeta {
    const { caller, consistency, position } = this;
    return {
      tenantId: caller.tenantId,
      principal: caller.principal,
      roles: [...caller.roles],
      // The envelope takes whole milliseconds.
      remainingMs: Math.max(1, Math.ceil(remainingMs)),
      consistency,
      minPosition: consistency === 'eventual' || position === null ? null : formatPosition(position),
      ...(this.idempotency === undefined ? {} : { idempotency: this.idempotency }),
    };
  }
}

/** The later of two positions. Positions of two databases do not compare: then the newly observed one. */
export function later(known: Position, observed: Position): Position {
  return known.systemId === observed.systemId ? maxPosition(known, observed) : observed;
}
