import { DomainEvent } from '@novacron/contracts/events';
import type { InvalidatedEvent } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';

/** The part of an event that caches need, and the lineage of its position. */
export interface EventHeader {
  /** `<systemId>.<timeline>` */
  readonly lineage: string;
  readonly event: InvalidatedEvent;
}

/** @returns the event in the message, or the reason why the message does not hold one */
export function parseEvent(data: Uint8Array): DomainEvent | Error {
  const parsed = DomainEvent.safeParse(parseJson(data));
  return parsed.success ? parsed.data : parsed.error;
}

export function eventHeaderOf({
  seq,
  tenantId,
  kind,
  resourceId,
  version,
  position,
}: DomainEvent): EventHeader {
  const { systemId, timeline, lsn } = parsePosition(position);
  return {
    lineage: `${systemId}.${timeline}`,
    event: { seq, tenantId, kind, id: resourceId, version, lsn: String(lsn) },
  };
}

/** @returns undefined when the data is not JSON: every schema refuses it */
export function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
