/**
 * Request/reply without an envelope, for hosts and the orchestrator: the message is the body alone. The subject
 * identifies the host, since only that host may publish on it. Deadline, trace, errors and bounds are as with RPC.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { z } from 'zod';
import { request as sendRequest } from './request.js';
import type { RequestDispatcher } from './request-dispatcher.js';
import { decodeJson, encodeJson, REMAINING_HEADER, validated } from './wire.js';

/** Default deadline of a request without one. */
const DEFAULT_REMAINING_MS = 10_000;

export interface DirectRoute<Body extends z.ZodType> {
  /** May have wildcards: `hosts.*.heartbeat`. */
  readonly subject: string;
  readonly queue?: string;
  /** The subject without ids, for spans and metrics, where the subject itself has some. */
  readonly label?: string;
  readonly body: Body;
  /** @param tokens the subject's tokens, as in `['hosts', hostId, 'heartbeat']` */
  handle(body: z.infer<Body>, tokens: readonly string[]): Promise<unknown>;
}

/** Serves the route through the dispatcher, which bounds and drains its requests. */
export function serveDirect<Body extends z.ZodType>(
  nc: NatsConnection,
  requests: RequestDispatcher,
  route: DirectRoute<Body>,
): void {
  requests.serve(nc, {
    subject: route.subject,
    ...(route.queue === undefined ? {} : { queue: route.queue }),
    label: route.label ?? route.subject,
    open: (message) => {
      const body = validated(route.body, decodeJson(message.data));
      return {
        remainingMs: Number(message.headers?.get(REMAINING_HEADER) || DEFAULT_REMAINING_MS),
        run: async () => ({ body: await route.handle(body, message.subject.split('.')) }),
      };
    },
  });
}

export interface DirectRequest<Reply extends z.ZodType> {
  readonly subject: string;
  /** The subject without ids (`agents.*.command`), for spans and metrics. */
  readonly label: string;
  readonly body: unknown;
  /** The other side is another trust zone, so its reply is validated. */
  readonly reply: Reply;
  readonly timeoutMs: number;
}

/**
 * Sends one request and waits at most `timeoutMs`.
 * @throws ServiceError as {@link request}; `invalid_request` when the answer does not fit its schema
 */
export async function requestDirect<Reply extends z.ZodType>(
  nc: NatsConnection,
  request: DirectRequest<Reply>,
): Promise<z.infer<Reply>> {
  const { subject, label, body, timeoutMs } = request;
  const reply = await sendRequest(nc, subject, encodeJson(body), timeoutMs, label);
  return validated(request.reply, reply['body'], '/reply');
}
