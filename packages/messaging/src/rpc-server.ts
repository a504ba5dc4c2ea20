import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { applyDecorators, Catch, UseFilters, type RpcExceptionFilter } from '@nestjs/common';
import { MessagePattern, Server, type MessageHandler } from '@nestjs/microservices';
import {
  WireRequest,
  type BodyOf,
  type RawReply,
  type ReplyOf,
  type RpcContract,
  type RpcReply,
  type RpcRequest,
} from '@novacron/contracts/envelope';
import type { Logger } from '@novacron/telemetry/logger';
import { firstValueFrom, isObservable, throwError, type Observable } from 'rxjs';
import { RequestDispatcher, type Work } from './request-dispatcher.js';
import { decodeJson, validated } from './wire.js';

/** The type of a method under `@RpcHandler(contract)`. */
export type RpcMethod<C extends RpcContract> = (
  request: RpcRequest<BodyOf<C>>,
) => Promise<RpcReply<ReplyOf<C>> | RawReply>;

/** Passes every error to the server below, which encodes errors as replies. */
@Catch()
class PassErrorsOn implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/**
 * Serves the contract by this method of a Nest controller. The method receives the validated request, returns body and
 * position, and throws ServiceError to refuse.
 */
export function RpcHandler<C extends RpcContract>(
  contract: C,
): <M extends RpcMethod<C>>(target: object, key: string, descriptor: TypedPropertyDescriptor<M>) => void {
  return applyDecorators(MessagePattern(contract.subject, { contract }), UseFilters(new PassErrorsOn()));
}

export interface RpcServerOptions {
  readonly nc: NatsConnection;
  /** The queue group: instances of one service share its requests. */
  readonly service: string;
  readonly logger: Logger;
  /** Requests handled at one time, default 256; see {@link RequestDispatcher}. */
  readonly maxInFlight?: number;
}

/** Nest's transport strategy for `@RpcHandler` methods: NATS request/reply with our envelope. */
export class RpcServer extends Server {
  readonly #requests: RequestDispatcher;

  constructor(private readonly options: RpcServerOptions) {
    super();
    this.#requests = new RequestDispatcher({
      maxInFlight: options.maxInFlight ?? 256,
      logger: options.logger,
    });
  }

  listen(callback: () => void): void {
    for (const [subject, handler] of this.messageHandlers) {
      const contract = handler.extras?.['contract'] as RpcContract | undefined;
      if (contract === undefined) throw new Error(`the handler of ${subject} is not made by @RpcHandler`);
      this.#requests.serve(this.options.nc, {
        subject,
        queue: this.options.service,
        label: subject,
        open: (message) => open(contract, handler, message),
      });
    }
    callback();
  }

  /** Accepts no new request, and resolves when every accepted request is answered. */
  drain(): Promise<void> {
    return this.#requests.drain();
  }

  /** Nest calls it when the application closes. The connection belongs to the kit. */
  close(): Promise<void> {
    return this.drain();
  }

  on(): never {
    throw new Error('the connection reports its own status');
  }

  unwrap<T>(): T {
    return this.options.nc as T;
  }
}

function open(contract: RpcContract, handler: MessageHandler, message: Msg): Work {
  const { v: _, body: raw, ...meta } = validated(WireRequest, decodeJson(message.data), '/envelope');
  const request: RpcRequest<unknown> = { meta, body: validated(contract.body, raw) };
  return { remainingMs: meta.remainingMs, run: () => call(handler, request) };
}

async function call(handler: MessageHandler, request: RpcRequest<unknown>): Promise<object> {
  const result: unknown = await handler(request);
  return (isObservable(result) ? await firstValueFrom(result) : result) as object;
}
