import { errors as natsErrors, headers, type NatsConnection } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { rpc } from '@novacron/telemetry/diagnostics';
import { injectTrace, SpanKind, withSpan } from '@novacron/telemetry/trace';
import { isConnected, onLoss } from './connect.js';
import { isRefusal, REMAINING_HEADER, replyOrThrow, RETRY_AFTER_MS } from './wire.js';

/** A reply that was under way when the connection was lost arrives within this time after a reconnect, or never. */
const AFTER_LOSS_MS = 2_000;

/**
 * Sends one request and waits for its reply, at most `timeoutMs`. It fails at once when NATS is not connected or the
 * subject has no subscriber, and soon when the connection is lost meanwhile. It never retries.
 * @param label the subject without ids, for spans and metrics
 * @returns the reply's fields
 * @throws ServiceError the error of the reply, or `dependency_down`, `deadline_exceeded`, `body_too_large`. After
 *   `deadline_exceeded`, and after a connection lost while waiting, the request may or may not have had its effect.
 */
export async function request(
  nc: NatsConnection,
  subject: string,
  payload: Uint8Array,
  timeoutMs: number,
  label: string,
): Promise<Record<string, unknown>> {
  return replyOrThrow(await requestRaw(nc, subject, payload, timeoutMs, label));
}

/** Like {@link request}, but returns a successful reply as bytes. */
export async function requestRaw(
  nc: NatsConnection,
  subject: string,
  payload: Uint8Array,
  timeoutMs: number,
  label: string,
): Promise<Uint8Array> {
  const startedAt = performance.now();
  let code = 'ok';
  try {
    return await withSpan(
      `request ${label}`,
      {},
      () => send(nc, subject, payload, timeoutMs),
      SpanKind.CLIENT,
    );
  } catch (error) {
    code = error instanceof ServiceError ? error.code : 'internal';
    throw error;
  } finally {
    rpc.publish({ side: 'client', subject: label, code, durationMs: performance.now() - startedAt });
  }
}

async function send(
  nc: NatsConnection,
  subject: string,
  payload: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  if (!isConnected(nc)) throw down('There is no connection to NATS');
  const timeout = Math.floor(timeoutMs);
  if (!(timeout >= 1)) throw new ServiceError('deadline_exceeded', 'No time was left to ask');
  if (payload.length > (nc.info?.max_payload ?? Infinity) - 1_024) {
    throw new ServiceError('body_too_large', `A message holds at most ${nc.info?.max_payload} bytes`);
  }
  const hops = headers();
  hops.set(REMAINING_HEADER, String(timeout));
  injectTrace((name, value) => hops.set(name, value));
  const reply = await unlessLost(nc, nc.request(subject, payload, { timeout, headers: hops }));
  // An error reply is thrown here, so that spans and metrics have its code.
  if (isRefusal(reply.data)) replyOrThrow(reply.data);
  return reply.data;
}

/** The client library keeps waiting for a reply after a lost connection; most such replies never arrive. */
function unlessLost<T>(nc: NatsConnection, reply: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const forget = onLoss(nc, () => {
      timer ??= setTimeout(() => reject(down('The connection to NATS was lost')), AFTER_LOSS_MS);
    });
    const settled = (): void => {
      forget();
      clearTimeout(timer);
    };
    reply.then(resolve, (error: unknown) => reject(asServiceError(error))).then(settled, settled);
  });
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof natsErrors.TimeoutError) {
    return new ServiceError('deadline_exceeded', 'No answer within the time allowed', { cause: error });
  }
  if (isNoResponders(error)) return down('Nobody serves this at the moment', error);
  if (error instanceof natsErrors.InvalidSubjectError) {
    return new ServiceError('internal', 'The subject is not valid', { cause: error });
  }
  return down('The connection to NATS failed', error);
}

function isNoResponders(error: unknown): boolean {
  return (
    error instanceof natsErrors.NoRespondersError ||
    (error instanceof natsErrors.RequestError && error.isNoResponders())
  );
}

function down(detail: string, cause?: unknown): ServiceError {
  return new ServiceError('dependency_down', detail, { retryAfterMs: RETRY_AFTER_MS, cause });
}
