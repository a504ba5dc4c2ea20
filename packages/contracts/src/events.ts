import { z } from 'zod';
import { Term, Timestamp } from './common.js';
import { defineRpc } from './envelope.js';
import { EventId } from './ids.js';
import { PositionText } from './position.js';
import { subjectOf } from './subject.js';

/** The tenant of events about hosts, zones and images. */
export const PLATFORM = 'platform';

export const EventKind = z.enum(['vm', 'job', 'host', 'image', 'zone', 'quota']);
export type EventKind = z.infer<typeof EventKind>;

/**
 * A committed change. `seq` has no gaps within its service. `position` is at or after the commit of the change. `data`
 * is the full resource at `version`.
 */
export const DomainEvent = z.object({
  id: EventId,
  seq: z.number().int().positive(),
  /** `vm.created`, `vm.updated`, `job.updated`, `host.updated`, … */
  type: Term,
  tenantId: Term,
  kind: EventKind,
  resourceId: z.string().max(200),
  version: z.number().int(),
  position: PositionText,
  at: Timestamp,
  data: z.unknown(),
});
export type DomainEvent = z.infer<typeof DomainEvent>;

/**
 * `events.<tenantId>.<kind>.<id>`. The id is one token.
 * @throws IllegalSubject when a part may not be in a subject
 */
export function eventSubject(event: Pick<DomainEvent, 'tenantId' | 'kind' | 'resourceId'>): string {
  return subjectOf('events', event.tenantId, event.kind, event.resourceId);
}

/** Every event up to `seq` is committed and numbered. No event below `position` is missing. */
export const Watermark = z.object({ service: z.string(), seq: z.number().int(), position: PositionText });
export type Watermark = z.infer<typeof Watermark>;

export function watermarkSubject(service: string): string {
  return subjectOf('watermarks', service);
}

/**
 * Serves events by seq to a consumer that detected a gap: at most 500, and as many as fit one message. The consumer
 * requests the rest from the seq after the last one. The reply includes events that could not be published. `data` is
 * null when it is too large for a message.
 */
export const fetchOrchestratorEvents = defineRpc(
  'rpc.orchestrator.events.fetch',
  z.object({ fromSeq: z.number().int().positive(), toSeq: z.number().int().positive() }),
  z.object({
    events: z.array(DomainEvent),
    oldestSeq: z.number().int().nullable(),
    lastSeq: z.number().int(),
  }),
  'paged',
);
