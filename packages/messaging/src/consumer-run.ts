/** Shared by the consumers of a stream: rebuilding, and detecting that no more messages can arrive. */
import { JetStreamApiError, type ConsumerMessages } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Backoff } from '@novacron/async/backoff';
import { pause } from '@novacron/async/sleep';
import { consumed } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { onReconnect } from './connect.js';

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;
/** After a run of this length the pause is short again. */
const LONG_RUN_MS = 10_000;
/** The server's heartbeat on an idle stream. After two missing ones the consumer ends and is rebuilt. */
export const HEARTBEAT_MS = 5_000;

export interface RebuildOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly durable: string;
  readonly stop: AbortSignal;
  readonly logger: Logger;
}

/** Repeats `run` until the stop. The pause between two runs grows while the runs are short. */
export async function rebuilding(options: RebuildOptions, run: () => Promise<void>): Promise<void> {
  const { nc, stream, durable, stop, logger } = options;
  const names = { stream, consumer: durable };
  const backoff = new Backoff({ firstMs: FIRST_PAUSE_MS, maxMs: LAST_PAUSE_MS });
  while (!stop.aborted) {
    const builtAt = performance.now();
    try {
      await run();
    } catch (error) {
      logger.warn({ err: error, ...names }, 'consumer failed; rebuilding');
    }
    if (stop.aborted || nc.isClosed()) return;
    consumed.publish({ ...names, outcome: 'rebuilt' });
    if (performance.now() - builtAt > LONG_RUN_MS) backoff.reset();
    // Only the stop ends the pause early.
    await pause(backoff.next(), { signal: stop });
  }
}

/** For lookups of streams and consumers that may be missing. */
export function ignoreMissing(error: unknown): undefined {
  if (error instanceof JetStreamApiError && error.status === 404) return undefined;
  throw error;
}

/** Rejects when no more messages can arrive. `end` stops watching. */
export async function ended(
  messages: ConsumerMessages,
  nc: NatsConnection,
  end: AbortSignal,
): Promise<never> {
  const failure = await Promise.race([
    messages.closed(),
    nc.closed(),
    missedHeartbeats(messages),
    reconnected(nc, end),
  ]);
  throw failure instanceof Error ? failure : new Error('no more messages');
}

async function missedHeartbeats(messages: ConsumerMessages): Promise<Error> {
  for await (const status of messages.status()) {
    if (status.type === 'heartbeats_missed') return new Error('the server sends no heartbeats');
  }
  return new Error('the subscription ended');
}

/** The server may have come back without the consumer, or with another stream of the same name. */
function reconnected(nc: NatsConnection, end: AbortSignal): Promise<Error> {
  return new Promise((resolve) => {
    const off = onReconnect(nc, () => resolve(new Error('the connection was lost')));
    end.addEventListener('abort', off, { once: true });
  });
}
