import { JetStreamApiError } from '@nats-io/jetstream';
import { eventSubject } from '@novacron/contracts/events';
import { IllegalSubject } from '@novacron/contracts/subject';
import type { StoredEvent } from './stored-event.js';

/**
 * Why an event is set aside: its subject cannot be built, it is larger than a message may be, or the stream refused
 * it again and again while it took the events around it.
 */
export const SET_ASIDE_REASONS = ['illegal_subject', 'too_large', 'refused'] as const;
export type SetAsideReason = (typeof SET_ASIDE_REASONS)[number];

/** An event that no further attempt can publish. */
export class Unpublishable extends Error {
  override readonly name = 'Unpublishable';

  constructor(
    readonly reason: SetAsideReason,
    cause: unknown,
  ) {
    super(`an event cannot be published: ${reason}`, { cause });
  }
}

/** JetStream's error code for a message above the stream's `max_msg_size`. */
const MESSAGE_EXCEEDS_MAXIMUM = 10_054;

/** @throws Unpublishable when the event's parts may not be in a subject */
export function subjectOfRow(row: StoredEvent): string {
  try {
    return eventSubject({ tenantId: row.tenant_id, kind: row.kind, resourceId: row.resource_id });
  } catch (error) {
    throw error instanceof IllegalSubject ? new Unpublishable('illegal_subject', error) : error;
  }
}

/** The error of a publish, as {@link Unpublishable} where it is of the event itself and not of the connection. */
export function judged(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'InvalidSubjectError') return new Unpublishable('illegal_subject', error);
  // The client refuses a message above the server's max_payload, headers included, before it sends anything.
  if (error.name === 'InvalidArgumentError' && error.message.includes('max_payload'))
    return new Unpublishable('too_large', error);
  if (error instanceof JetStreamApiError && error.code === MESSAGE_EXCEEDS_MAXIMUM)
    return new Unpublishable('too_large', error);
  return error;
}
