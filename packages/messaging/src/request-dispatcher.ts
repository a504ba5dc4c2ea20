import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { endsWithin } from '@novacron/async/deadline';
import { ServiceError } from '@novacron/contracts/errors';
import { REPLY_BYTES } from '@novacron/contracts/reply-size';
import { rpc } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { SpanKind, withRemoteSpan } from '@novacron/telemetry/trace';
import { waitedForLoopMs } from './loop-delay.js';
import { encodeReply, errorReply, RETRY_AFTER_MS } from './wire.js';

/** How long the drain of subscriptions may take. */
const DRAIN_MS = 1_000;

/** A valid request: its handler, and how long the caller still waits. */
export interface Work {
  readonly remainingMs: number;
  /** @returns the fields of the successful reply */
  run(): Promise<object>;
}

export interface Route {
  readonly subject: string;
  /** Members of one queue group share the messages. Without a group every subscriber receives each message. */
  readonly queue?: string;
  /** The subject without ids, for spans and metrics. */
  readonly label: string;
  /** @throws ServiceError `invalid_request` */
  open(message: Msg): Work;
}

export interface RequestDispatcherOptions {
  /** Requests handled at one time. One more is answered `overloaded` at once; the dispatcher has no queue. */
  readonly maxInFlight: number;
  readonly logger: Logger;
}

/** Receives requests: admits, traces and handles them, and sends the reply. */
export class RequestDispatcher {
  readonly #subscriptions: Subscription[] = [];
  readonly #idle: (() => void)[] = [];
  #inFlight = 0;

  constructor(private readonly options: RequestDispatcherOptions) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Serves the route from now on, also after a reconnect. */
  serve(nc: NatsConnection, route: Route): void {
    waitedForLoopMs();
    const subscription = nc.subscribe(route.subject, {
      ...(route.queue === undefined ? {} : { queue: route.queue }),
      callback: (error, message) => {
        if (error === null) this.#receive(nc, route, message);
        else this.options.logger.error({ err: error, subject: route.subject }, 'subscription failed');
      },
    });
    this.#subscriptions.push(subscription);
  }

  /** Accepts no new request. Resolves when every accepted request is answered. */
  async drain(): Promise<void> {
    const open = this.#subscriptions.splice(0).filter((subscription) => !subscription.isClosed());
    // Without a connection a drain of the subscription would never resolve.
    await endsWithin(() => Promise.allSettled(open.map((subscription) => subscription.drain())), DRAIN_MS);
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #receive(nc: NatsConnection, route: Route, message: Msg): void {
    if (this.#inFlight >= this.options.maxInFlight) {
      this.#respond(route, message, encodeReply(errorReply(overloaded())));
      rpc.publish({ side: 'server', subject: route.label, code: 'overloaded', durationMs: 0 });
      return;
    }
    this.#inFlight += 1;
    void withRemoteSpan(
      `serve ${route.label}`,
      (name) => message.headers?.get(name) || undefined,
      {},
      () => this.#work(nc, route, message),
      SpanKind.SERVER,
    ).finally(() => {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve();
    });
  }

  /** Never rejects. */
  async #work(nc: NatsConnection, route: Route, message: Msg): Promise<void> {
    const startedAt = performance.now();
    const waitedMs = waitedForLoopMs();
    let remainingMs = Infinity;
    let code = 'ok';
    let reply: Uint8Array;
    try {
      const work = route.open(message);
      remainingMs = work.remainingMs - waitedMs;
      if (remainingMs <= 0) throw tooLate();
      reply = fitting(nc, encodeReply({ ok: true, ...(await work.run()) }));
    } catch (error) {
      code = error instanceof ServiceError ? error.code : 'internal';
      this.#log(route, code, error);
      reply = encodeReply(errorReply(error));
    }
    const durationMs = performance.now() - startedAt;
    rpc.publish({ side: 'server', subject: route.label, code, durationMs });
    if (durationMs < remainingMs || code === 'deadline_exceeded') this.#respond(route, message, reply);
    else
      this.options.logger.warn(
        { subject: route.label, durationMs, remainingMs },
        'request answered after its deadline',
      );
  }

  #respond(route: Route, message: Msg, reply: Uint8Array): void {
    try {
      message.respond(reply);
    } catch (error) {
      this.options.logger.error({ err: error, subject: route.label }, 'reply send failed');
    }
  }

  #log(route: Route, code: string, error: unknown): void {
    if (code === 'internal')
      this.options.logger.error({ err: error, subject: route.label }, 'request failed');
    else if (error instanceof ServiceError && error.cause !== undefined) {
      this.options.logger.warn({ err: error, subject: route.label, code }, 'request refused');
    }
  }
}

/**
 * Returns the reply if it fits one message. Otherwise the caller receives an error now instead of at its deadline.
 * @throws ServiceError `answer_too_large`
 */
function fitting(nc: NatsConnection, reply: Uint8Array): Uint8Array {
  const limit = Math.min(REPLY_BYTES, nc.info?.max_payload ?? Infinity);
  if (reply.length <= limit) return reply;
  const cause = new Error(`the reply has ${reply.length} bytes, one message holds ${limit}`);
  throw new ServiceError('answer_too_large', 'The answer does not fit one message: ask for less of it', {
    cause,
  });
}

function overloaded(): ServiceError {
  return new ServiceError('overloaded', 'This instance works on as much as it can', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** Refuses a request before it has any effect, because its caller no longer waits. */
function tooLate(): ServiceError {
  return new ServiceError('deadline_exceeded', 'The request waited for longer than its asker does', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
