import { z } from 'zod';
import { Term, Timestamp } from './common.js';
import { defineRpc } from './envelope.js';
import { EventId } from './ids.js';
import { PositionText } from './position.js';
import { subjectOf } from './subject.js';

/** Whom events of hosts, zones and images belong to: nobody's tenant. */
export const PLATFORM = 'platform';

export const EventKind = z.enum(['vm', 'job', 'host', 'image', 'zone', 'quota']);
export type EventKind = z.infer<typeof EventKind>;

/**
 * A committed change. `seq` is dense for its service, `position` is at or after the change's commit, and
 * `data` is the full resource at `version`.
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
 * `events.<tenantId>.<kind>.<id>`; the id is one token.
 * @throws IllegalSubject when a part may not be in a subject
 */
export function eventSubject(event: Pick<DomainEvent, 'tenantId' | 'kind' | 'resourceId'>): string {
  return subjectOf('events', event.tenantId, event.kind, event.resourceId);
}

/** Every event up to `seq` is committed and numbered; none below `position` is missing. */
export const Watermark = z.object({ service: z.string(), seq: z.number().int(), position: PositionText });
export type Watermark = z.infer<typeof Watermark>;

export function watermarkSubject(service: string): string {
  return subjectOf('watermarks', service);
}

/**
 * Events by number, from the owner, for a consumer that saw a hole: the first of them, at most 500 and as many as fit
 * one message. The rest is asked for again, from the number after the last one.
 * Events that could not be published are among them. `data` is null where no message could carry it.
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
