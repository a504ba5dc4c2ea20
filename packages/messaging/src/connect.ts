import { connect, type NatsConnection } from '@nats-io/transport-node';
import { retry } from '@novacron/async/retry';
import { inboxPrefix } from '@novacron/contracts/subject';
import type { Logger } from '@novacron/telemetry/logger';

export interface NatsOptions {
  /** One URL, or several of one cluster, separated by commas. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** The connection's name in the server's monitoring. */
  readonly name: string;
  readonly logger?: Logger;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal;
  /** Called with the reason after each failed attempt to connect for the first time. */
  readonly onRetry?: (reason: string) => void;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

interface Health {
  connected: boolean;
  readonly onReconnect: Set<() => void>;
  readonly onLoss: Set<() => void>;
}
const healths = new WeakMap<NatsConnection, Health>();

/**
 * Connects, and retries without limit. A lost connection reconnects by itself until it is closed. Inboxes are under
 * `_INBOX.<user>`, as the user's permissions require.
 * @throws the signal's reason when the signal fires first
 */
export async function connectNats(options: NatsOptions): Promise<NatsConnection> {
  const { signal, logger, onRetry } = options;
  return retry(async () => watched(await connectOnce(options), logger), {
    firstMs: FIRST_RETRY_MS,
    maxMs: LAST_RETRY_MS,
    signal,
    onRetry: (error, retryInMs) => {
      const reason = error instanceof Error ? error.message : String(error);
      onRetry?.(reason);
      logger?.warn({ reason, retryInMs }, 'NATS connect failed');
    },
  });
}

/** Whether a request would be sent at once. A connection that `connectNats` did not make counts as connected. */
export function isConnected(nc: NatsConnection): boolean {
  return healths.get(nc)?.connected !== false && !nc.isClosed();
}

/** Calls the listener after each reconnect. @returns a function that removes it */
export function onReconnect(nc: NatsConnection, listener: () => void): () => void {
  const health = healths.get(nc);
  if (health === undefined) throw new Error('this connection was not made by connectNats');
  health.onReconnect.add(listener);
  return () => health.onReconnect.delete(listener);
}

/** Calls the listener each time the connection is lost. @returns a function that removes it */
export function onLoss(nc: NatsConnection, listener: () => void): () => void {
  const listeners = healths.get(nc)?.onLoss;
  listeners?.add(listener);
  return () => listeners?.delete(listener);
}

function connectOnce({ url, user, password, name }: NatsOptions): Promise<NatsConnection> {
  return connect({
    servers: url.split(','),
    user,
    pass: password,
    name,
    inboxPrefix: inboxPrefix(user),
    timeout: 5_000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    // A restarted server may not have loaded its users yet. That must not close the connection permanently.
    ignoreAuthErrorAbort: true,
    // A silent peer is detected within 15 s. Until then the deadlines bound each request.
    pingInterval: 5_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
}

function watched(nc: NatsConnection, logger: Logger | undefined): NatsConnection {
  const health: Health = { connected: true, onReconnect: new Set(), onLoss: new Set() };
  healths.set(nc, health);
  void (async () => {
    for await (const status of nc.status()) {
      switch (status.type) {
        case 'disconnect':
          health.connected = false;
          logger?.warn({ server: status.server }, 'NATS connection lost');
          for (const listener of health.onLoss) listener();
          break;
        case 'reconnect':
          health.connected = true;
          logger?.info({ server: status.server }, 'NATS reconnected');
          for (const listener of health.onReconnect) listener();
          break;
        case 'staleConnection':
          logger?.warn('NATS ping timed out');
          break;
        case 'error':
          logger?.error({ err: status.error }, 'NATS server error');
          break;
        case 'slowConsumer':
          logger?.warn({ pending: status.pending }, 'NATS subscription is slow');
          break;
        default:
      }
    }
  })();
  return nc;
}
