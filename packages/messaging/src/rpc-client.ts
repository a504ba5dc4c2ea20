import type { NatsConnection } from '@nats-io/transport-node';
import {
  ENVELOPE_VERSION,
  type BodyOf,
  type BytesReply,
  type ReplyOf,
  type RequestMeta,
  type RpcContract,
  type RpcReply,
} from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { requestRaw } from './request.js';
import { encodeJson, replyOrThrow, RETRY_AFTER_MS, splitReply } from './wire.js';

export interface RpcClientOptions {
  /** Requests waiting for an answer at one time; one more is refused with `overloaded`, none is queued. */
  readonly maxInFlight?: number;
}

/** Asks other services. Trying again is the caller's: only it knows whether that is safe. */
export class RpcClient {
  #inFlight = 0;
  readonly #maxInFlight: number;

  constructor(
    private readonly nc: NatsConnection,
    options: RpcClientOptions = {},
  ) {
    this.#maxInFlight = options.maxInFlight ?? 4_096;
  }

  /**
   * Sends the body in its envelope and waits for `meta.remainingMs` at most.
   * @throws ServiceError what the service answered; `dependency_down` (with retryAfterMs) when nobody serves
   *   it or NATS is not connected; `deadline_exceeded`; `overloaded`; `body_too_large`
   */
  async request<C extends RpcContract>(
    contract: C,
    meta: RequestMeta,
    body: BodyOf<C>,
  ): Promise<RpcReply<ReplyOf<C>>> {
    const reply = await this.#send(contract, meta, body);
    // The service validates what it sends in its tests; parsing it here again would double the cost.
    return replyOrThrow(reply) as unknown as RpcReply<ReplyOf<C>>;
  }

  /** As {@link request}, with the body as the bytes that came: for who passes it on, or keeps it. */
  async requestRaw<C extends RpcContract>(
    contract: C,
    meta: RequestMeta,
    body: BodyOf<C>,
  ): Promise<BytesReply> {
    const { head, body: bytes } = splitReply(await this.#send(contract, meta, body));
    return { ...(head as unknown as Omit<BytesReply, 'body'>), body: bytes };
  }

  async #send(contract: RpcContract, meta: RequestMeta, body: unknown): Promise<Uint8Array> {
    if (this.#inFlight >= this.#maxInFlight) {
      throw new ServiceError('overloaded', 'Too many requests wait for an answer', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#inFlight += 1;
    try {
      const payload = encodeJson({ v: ENVELOPE_VERSION, ...meta, body });
      return await requestRaw(this.nc, contract.subject, payload, meta.remainingMs, contract.subject);
    } finally {
      this.#inFlight -= 1;
    }
  }
}
