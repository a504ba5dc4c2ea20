import type { DomainEvent } from '@novacron/contracts/events';

/** A row of `outbox`, its data as the JSON text that was written. */
export interface StoredEvent {
  readonly seq: number;
  readonly id: string;
  readonly tenant_id: string;
  readonly kind: DomainEvent['kind'];
  readonly resource_id: string;
  readonly type: string;
  readonly version: number;
  readonly position: string;
  readonly at: Date;
  readonly data: string;
}

export const HEAD_COLUMNS = 'seq, id, tenant_id, kind, resource_id, type, version, position, at';
export const COLUMNS = `${HEAD_COLUMNS}, data::text AS data`;

/** The event as {@link DomainEvent} has it. */
export function toDomainEvent(row: StoredEvent): DomainEvent {
  return { ...head(row), data: JSON.parse(row.data) as unknown };
}

/** The same as JSON bytes; the data goes through as the text that it is. */
export function toBytes(row: StoredEvent): Uint8Array {
  return Buffer.from(`${JSON.stringify(head(row)).slice(0, -1)},"data":${row.data}}`);
}

function head(row: StoredEvent): Omit<DomainEvent, 'data'> {
  return {
    id: row.id as DomainEvent['id'],
    seq: row.seq,
    type: row.type,
    tenantId: row.tenant_id,
    kind: row.kind,
    resourceId: row.resource_id,
    version: row.version,
    position: row.position,
    at: row.at.toISOString(),
  };
}
