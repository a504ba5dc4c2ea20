import type { EventKind } from '@novacron/contracts/events';
import { newId } from '@novacron/contracts/ids';
import type { Call, Statement, Transaction } from '@novacron/postgres/database';

/** An event before it has a number. */
export interface NewEvent {
  /** UUID; a new one when left out. */
  readonly id?: string;
  /** `vm.updated` */
  readonly type: string;
  /** The owner's tenant, or `platform`. */
  readonly tenantId: string;
  readonly kind: EventKind;
  readonly resourceId: string;
  /** Of the resource, after the change. */
  readonly version: number;
  /** RFC 3339; the database's time when left out. */
  readonly at?: string;
  /** The full resource. */
  readonly data: unknown;
}

const APPEND: Statement = {
  name: 'outbox_append',
  text: `INSERT INTO outbox_pending (id, tenant_id, kind, resource_id, type, version, at, data)
         SELECT id, "tenantId", kind, "resourceId", type, version, coalesce(at, clock_timestamp()), data
           FROM json_to_recordset($1::json) AS event(
             id uuid, "tenantId" text, kind text, "resourceId" text, type text, version bigint, at timestamptz, data json)`,
  table: 'outbox_pending',
};

/** The statement that writes events, for a batch or pipeline with the change that they describe. */
export function appendCall(events: readonly NewEvent[]): Call {
  const rows = events.map((event) => ({ ...event, id: event.id ?? newId(), at: event.at ?? null }));
  return { statement: APPEND, params: [JSON.stringify(rows)] };
}

/** Writes events in the transaction of the change that they describe. Wake the relay after its commit. */
export async function appendEvents(tx: Transaction, events: readonly NewEvent[]): Promise<void> {
  if (events.length > 0) await tx.pipeline([appendCall(events)]);
}
