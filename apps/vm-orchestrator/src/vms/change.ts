import { newId, type EventId, type VmId } from '@novacron/contracts/ids';
import { appendCall, type NewEvent } from '@novacron/outbox/append';
import type { Call, Statement, Transaction } from '@novacron/postgres/database';
import { canTransition } from '@novacron/vm-lifecycle/states';
import { releaseQuotaCalls } from '../quotas/quotas.js';
import { toVm, type VmRow } from './row.js';

export type VmPatch = Partial<
  Omit<
    VmRow,
    | 'tenant_id'
    | 'id'
    | 'cpu'
    | 'memory'
    | 'disk'
    | 'image'
    | 'zone'
    | 'version'
    | 'created_at'
    | 'updated_at'
  >
>;

export interface VmChange {
  /** As it was read under a lock in the same transaction. */
  readonly row: VmRow;
  readonly patch: VmPatch;
}

const LOCK: Statement = {
  name: 'vms-lock',
  text: 'SELECT * FROM vms WHERE id = ANY($1) ORDER BY id FOR UPDATE',
};

const UPDATE: Statement = {
  name: 'vms-change',
  text: `UPDATE vms v SET
      (name, state, desired_state, host_id, tags, autostart, task, conditions, stop_reason, last_error, generation,
       observed_generation, incarnation, fence, quota_held, fact_epoch, fact_seq, version, updated_at, deleted_at,
       restart_policy, restarts, restart_at, restarted_at) =
      (x.name, x.state, x.desired_state, x.host_id, x.tags, x.autostart, x.task, x.conditions, x.stop_reason,
       x.last_error, x.generation, x.observed_generation, x.incarnation, x.fence, x.quota_held, x.fact_epoch,
       x.fact_seq, x.version, x.updated_at, x.deleted_at, x.restart_policy, x.restarts, x.restart_at,
       x.restarted_at)
    FROM json_populate_recordset(null::vms, $1) x
    WHERE v.id = ANY($2) AND v.tenant_id = x.tenant_id AND v.id = x.id AND v.version = x.version - 1`,
};

/** Locks VMs in the order of their ids, so that two transactions cannot wait for each other. */
export async function lockVms(tx: Transaction, ids: readonly VmId[]): Promise<VmRow[]> {
  return (await tx.query<VmRow>(LOCK, [[...ids]])).rows;
}

/** {@link lockVms} as a statement that is sent with others. */
export function lockVmsCall(ids: readonly VmId[]): Call {
  return { statement: LOCK, params: [ids] };
}

/**
 * Writes changes of VMs with their events, by compare-and-set on `version`. Quota that a change gives up is
 * released with it, and a VM in `error` without a host gives up its quota: it uses nothing.
 *
 * @param changes at most one for each VM, of rows that this transaction has locked
 * @returns the rows as they are now
 * @throws Error when a state change is not in the lifecycle table, or a row was not locked: both are bugs
 */
export async function changeVms(tx: Transaction, changes: readonly VmChange[], now: Date): Promise<VmRow[]> {
  if (changes.length === 0) return [];
  const { rows, calls } = changeVmsCalls(changes, now);
  const [updated] = await tx.pipeline(calls);
  requireAll(updated?.rowCount, rows.length);
  return rows;
}

/** {@link changeVms} as statements that are sent with others; check the first one's count with {@link requireAll}. */
export function changeVmsCalls(changes: readonly VmChange[], now: Date): { rows: VmRow[]; calls: Call[] } {
  const rows = changes.map((change) => changed(change, now));
  const events = rows.map((row) => vmEvent(row, row.state === 'deleted' ? 'vm.deleted' : 'vm.updated'));
  const freed = changes.filter(({ row }, i) => row.quota_held && !rows[i]?.quota_held).map(({ row }) => row);
  return {
    rows,
    calls: [
      { statement: UPDATE, params: [JSON.stringify(rows), rows.map((row) => row.id)] },
      appendCall(events),
      ...releaseQuotaCalls(freed),
    ],
  };
}

export function requireAll(changedRows: number | undefined, expected: number): void {
  if (changedRows !== expected)
    throw new Error(`changed ${changedRows} of ${expected} VMs: one was not locked`);
}

function changed({ row, patch }: VmChange, now: Date): VmRow {
  const next: VmRow = { ...row, ...patch, version: row.version + 1, updated_at: now };
  if (next.state === 'error' && next.host_id === null) next.quota_held = false;
  if (next.state !== row.state && !canTransition(row.state, next.state)) {
    throw new Error(`VM ${row.id}: the lifecycle has no way from ${row.state} to ${next.state}`);
  }
  return next;
}

/** The event of a change: the full resource at its version. */
export function vmEvent(row: VmRow, type: 'vm.created' | 'vm.updated' | 'vm.deleted'): NewEvent {
  return {
    id: newId<EventId>(),
    type,
    tenantId: row.tenant_id,
    kind: 'vm',
    resourceId: row.id,
    version: row.version,
    at: row.updated_at.toISOString(),
    data: toVm(row),
  };
}
