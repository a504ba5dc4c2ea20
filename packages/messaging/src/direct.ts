/**
 * Request/reply without an envelope, for hosts and the orchestrator: the body alone travels, and who asks is
 * told by the subject, on which only that host may publish. Deadline, trace, errors and bounds are as with RPC.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { z } from 'zod';
import { ask } from './ask.js';
import type { Intake } from './intake.js';
import { decodeJson, encodeJson, REMAINING_HEADER, validated } from './wire.js';

/** For a request that says no deadline. */
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

/** Serves the route through the intake, which bounds and drains it. */
export function serveDirect<Body extends z.ZodType>(
  nc: NatsConnection,
  intake: Intake,
  route: DirectRoute<Body>,
): void {
  intake.serve(nc, {
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
  /** The other side is another trust zone: its answer is validated. */
  readonly reply: Reply;
  readonly timeoutMs: number;
}

/**
 * Asks once and waits for `timeoutMs` at most.
 * @throws ServiceError as {@link ask}; `invalid_request` when the answer does not fit its schema
 */
export async function requestDirect<Reply extends z.ZodType>(
  nc: NatsConnection,
  request: DirectRequest<Reply>,
): Promise<z.infer<Reply>> {
  const { subject, label, body, timeoutMs } = request;
  const reply = await ask(nc, subject, encodeJson(body), timeoutMs, label);
  return validated(request.reply, reply['body'], '/reply');
}
