import { DomainEvent } from '@novacron/contracts/events';
import type { InvalidatedEvent } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';

/** What caches need to know of an event, and of which history its position is. */
export interface Head {
  /** `<systemId>.<timeline>` */
  readonly history: string;
  readonly event: InvalidatedEvent;
}

/** @returns the event in the message; an error that says why it is none */
export function parseEvent(data: Uint8Array): DomainEvent | Error {
  const parsed = DomainEvent.safeParse(parseJson(data));
  return parsed.success ? parsed.data : parsed.error;
}

export function headOf({ seq, tenantId, kind, resourceId, version, position }: DomainEvent): Head {
  const { systemId, timeline, lsn } = parsePosition(position);
  return {
    history: `${systemId}.${timeline}`,
    event: { seq, tenantId, kind, id: resourceId, version, lsn: String(lsn) },
  };
}

/** @returns undefined for what is no JSON: the schema refuses it */
export function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
