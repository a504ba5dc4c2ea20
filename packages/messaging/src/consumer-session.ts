/** What the consumers of a stream have in common: building again, and noticing that no more can come. */
import { JetStreamApiError, type ConsumerMessages } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { consumed } from '@novacron/telemetry/diagnostics';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';
import { onReconnect } from './connect.js';

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;
/** A heartbeat of the server while nothing comes; two that are missing end a consumer, and it is rebuilt. */
export const HEARTBEAT_MS = 5_000;

export interface RebuildOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly durable: string;
  readonly stop: AbortSignal;
  readonly logger: Logger;
}

/** Runs one session after the other, with a pause between that grows while they are short, until the stop. */
export async function rebuilding(options: RebuildOptions, session: () => Promise<void>): Promise<void> {
  const { nc, stream, durable, stop, logger } = options;
  const names = { stream, consumer: durable };
  let pause = FIRST_PAUSE_MS;
  while (!stop.aborted) {
    const builtAt = performance.now();
    try {
      await session();
    } catch (error) {
      logger.warn({ err: error, ...names }, 'consumer ended; building it again');
    }
    if (stop.aborted || nc.isClosed()) return;
    consumed.publish({ ...names, outcome: 'rebuilt' });
    pause = performance.now() - builtAt > 10_000 ? FIRST_PAUSE_MS : Math.min(pause * 2, LAST_PAUSE_MS);
    // An early end of the pause is the stop.
    await sleep(pause, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** For lookups of what may not be there. */
export function ignoreMissing(error: unknown): undefined {
  if (error instanceof JetStreamApiError && error.status === 404) return undefined;
  throw error;
}

/** Rejects when no more messages can come. `end` ends the watching. */
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
