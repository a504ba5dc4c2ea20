import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { REPLY_BYTES } from '@novacron/contracts/reply-size';
import { rpc } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { SpanKind, withRemoteSpan } from '@novacron/telemetry/trace';
import { waitedForLoopMs } from './loop-delay.js';
import { encodeReply, errorReply, RETRY_AFTER_MS } from './wire.js';

/** A message that was understood: what to do, and how long the asker waits for it from now on. */
export interface Work {
  readonly remainingMs: number;
  /** @returns the fields of the successful reply */
  run(): Promise<object>;
}

export interface Route {
  readonly subject: string;
  /** Members of one queue group share the messages; without one every subscriber gets each. */
  readonly queue?: string;
  /** The subject without ids, for spans and metrics. */
  readonly label: string;
  /** @throws ServiceError `invalid_request` */
  open(message: Msg): Work;
}

export interface IntakeOptions {
  /** Requests worked on at one time. One more is answered `overloaded` at once: nothing is queued here. */
  readonly maxInFlight: number;
  readonly logger: Logger;
}

/** The receiving end of request/reply: admits, traces, runs, answers. */
export class Intake {
  readonly #subscriptions: Subscription[] = [];
  readonly #idle: (() => void)[] = [];
  #inFlight = 0;

  constructor(private readonly options: IntakeOptions) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Serves the route from now on, also after the connection was lost and came back. */
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

  /** Takes no new request, and resolves when those that had been taken are answered. */
  async drain(): Promise<void> {
    const open = this.#subscriptions.splice(0).filter((subscription) => !subscription.isClosed());
    // While NATS is away there is nothing that a drain could wait for, and it would wait for ever.
    await Promise.race([
      Promise.allSettled(open.map((subscription) => subscription.drain())),
      new Promise((resolve) => setTimeout(resolve, 1_000).unref()),
    ]);
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
    else this.options.logger.warn({ subject: route.label, durationMs, remainingMs }, 'answered too late');
  }

  #respond(route: Route, message: Msg, reply: Uint8Array): void {
    try {
      message.respond(reply);
    } catch (error) {
      this.options.logger.error({ err: error, subject: route.label }, 'an answer could not be sent');
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
 * The reply, when one message holds it. The caller must hear of another one now rather than wait for its deadline.
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

/** Refused before it had any effect: its asker has given up by now, or will be glad to hear so. */
function tooLate(): ServiceError {
  return new ServiceError('deadline_exceeded', 'The request waited for longer than its asker does', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
