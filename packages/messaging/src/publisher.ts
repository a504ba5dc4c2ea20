import { JetStreamApiError, type JetStreamClient } from '@nats-io/jetstream';
import { errors as natsErrors, headers } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { injectTrace } from '@novacron/telemetry/trace';
import { RETRY_AFTER_MS } from './wire.js';

const PUBLISH_TIMEOUT_MS = 5_000;

export interface Published {
  /** The message's stream sequence. */
  readonly streamSeq: number;
  /** The stream already had a message with this id (within two minutes), and keeps the first. */
  readonly duplicate: boolean;
}

/**
 * Publishes one message to the stream of its subject, and resolves when the server has stored it.
 * @param messageId messages with the same id within two minutes are stored once
 * @throws ServiceError `overloaded` when the stream is full, `body_too_large`, `dependency_down` when JetStream is
 *   unavailable, `deadline_exceeded` when it did not answer. After the last one the message may or may not be stored,
 *   and publishing it again with its id is safe.
 */
export async function publishEvent(
  js: JetStreamClient,
  subject: string,
  bytes: Uint8Array,
  messageId: string,
  timeoutMs: number = PUBLISH_TIMEOUT_MS,
): Promise<Published> {
  const hops = headers();
  injectTrace((name, value) => hops.set(name, value));
  try {
    const ack = await js.publish(subject, bytes, { msgID: messageId, headers: hops, timeout: timeoutMs });
    return { streamSeq: ack.seq, duplicate: ack.duplicate };
  } catch (error) {
    throw asServiceError(error);
  }
}

function asServiceError(cause: unknown): ServiceError {
  const again = { retryAfterMs: RETRY_AFTER_MS, cause };
  if (cause instanceof natsErrors.TimeoutError) {
    return new ServiceError('deadline_exceeded', 'The event stream did not answer in time', again);
  }
  if (cause instanceof natsErrors.InvalidArgumentError) {
    return new ServiceError('body_too_large', 'The message is too large for the event stream', { cause });
  }
  if (cause instanceof JetStreamApiError && /maximum|insufficient/.test(cause.message)) {
    return new ServiceError('overloaded', 'The stream is full', again);
  }
  return new ServiceError('dependency_down', 'The event stream is not there', again);
}
