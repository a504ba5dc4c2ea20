import type { NatsConnection } from '@nats-io/transport-node';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
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
import { firstValueFrom, Observable } from 'rxjs';
import { requestRaw } from './request.js';
import { encodeJson, replyOrThrow, RETRY_AFTER_MS, splitReply } from './wire.js';

export interface RpcClientOptions {
  /** Requests waiting for a reply at one time. One more is refused with `overloaded`; the client has no queue. */
  readonly maxInFlight?: number;
}

/** A request as it goes through Nest's `send`: the envelope without its version. */
type Outgoing = RequestMeta & { readonly body: unknown };

/**
 * Sends requests to other services: Nest's client over the service's own NATS connection. Each request has a deadline,
 * a trace and our envelope. The caller decides about retries, since only the caller knows whether they are safe.
 */
export class RpcClient extends ClientProxy {
  #inFlight = 0;
  readonly #maxInFlight: number;

  constructor(
    private readonly nc: NatsConnection,
    options: RpcClientOptions = {},
  ) {
    super();
    this.#maxInFlight = options.maxInFlight ?? 4_096;
  }

  /**
   * Sends the body in its envelope and waits at most `meta.remainingMs`.
   * @throws ServiceError the service's error; `dependency_down` (with retryAfterMs) when NATS is not connected or the
   *   subject has no subscriber; `deadline_exceeded`; `overloaded`; `body_too_large`
   */
  async request<C extends RpcContract>(
    contract: C,
    meta: RequestMeta,
    body: BodyOf<C>,
  ): Promise<RpcReply<ReplyOf<C>>> {
    const reply = await this.#send(contract, meta, body);
    // The service validates its replies in its tests; parsing them here again would double the cost.
    return replyOrThrow(reply) as unknown as RpcReply<ReplyOf<C>>;
  }

  /** Like {@link request}, but the reply's body stays bytes, for callers that forward or store it. */
  async requestRaw<C extends RpcContract>(
    contract: C,
    meta: RequestMeta,
    body: BodyOf<C>,
  ): Promise<BytesReply> {
    const { head, body: bytes } = splitReply(await this.#send(contract, meta, body));
    return { ...(head as unknown as Omit<BytesReply, 'body'>), body: bytes };
  }

  /** As Nest's, without waiting for `connect`: the kit has connected already. */
  override send<Result, Request>(subject: string, request: Request): Observable<Result> {
    return new Observable((observer) =>
      this.publish(this.createPacket(subject, request), this.createObserver(observer)),
    );
  }

  connect(): Promise<NatsConnection> {
    return Promise.resolve(this.nc);
  }

  /** The connection belongs to the kit, which drains it. */
  close(): void {}

  unwrap<T>(): T {
    return this.nc as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    void this.#exchange(packet.pattern as string, packet.data as Outgoing).then(
      (response) => callback({ response, isDisposed: true }),
      (err: unknown) => callback({ err, isDisposed: true }),
    );
    return () => undefined;
  }

  protected dispatchEvent<T>(): Promise<T> {
    return Promise.reject(new Error('events go to JetStream: use publishEvent'));
  }

  #send(contract: RpcContract, meta: RequestMeta, body: unknown): Promise<Uint8Array> {
    const outgoing: Outgoing = { ...meta, body };
    return firstValueFrom(this.send<Uint8Array, Outgoing>(contract.subject, outgoing));
  }

  async #exchange(subject: string, outgoing: Outgoing): Promise<Uint8Array> {
    if (this.#inFlight >= this.#maxInFlight) {
      throw new ServiceError('overloaded', 'Too many requests wait for an answer', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#inFlight += 1;
    try {
      const payload = encodeJson({ v: ENVELOPE_VERSION, ...outgoing });
      return await requestRaw(this.nc, subject, payload, outgoing.remainingMs, subject);
    } finally {
      this.#inFlight -= 1;
    }
  }
}
