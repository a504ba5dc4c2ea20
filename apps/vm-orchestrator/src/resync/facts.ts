import type { VmFact } from '@novacron/contracts/agents';
import type { HostId, JobId, VmId } from '@novacron/contracts/ids';
import type { Statement, Transaction } from '@novacron/postgres/database';
import { databaseNow } from '../database/clock.js';
import { changeVms, lockVms } from '../vms/change.js';
import type { TaskColumn, VmRow } from '../vms/row.js';
import { judge, type Judged, type Stamp } from './judge.js';

const LOCK_HOST: Statement = {
  name: 'facts-lock-host',
  text: `SELECT i.epoch, i.seq, h.epoch AS host_epoch, h.state FROM inventories i JOIN hosts h ON h.id = i.host_id
    WHERE i.host_id = $1 FOR UPDATE OF i`,
};
const CURRENT: Statement = {
  name: 'facts-current',
  text: `SELECT id, host_id, state, task, conditions, stop_reason, last_error, incarnation, fact_epoch, fact_seq, updated_at
    FROM vms WHERE id = ANY($1)`,
};

/** The database's view of a VM that a host has reported. */
export interface Known extends Judged {
  readonly id: VmId;
  readonly host_id: HostId | null;
  readonly task: TaskColumn | null;
  readonly updated_at: Date;
}

/**
 * Puts the facts of one host in order: locks its row until the end of the transaction.
 * `register`: the facts are of an old epoch. `ignore`: newer ones were applied, or the host is down or fenced, and its
 * facts are applied again when it is back.
 */
export async function admitFacts(
  tx: Transaction,
  hostId: HostId,
  stamp: Stamp,
): Promise<'apply' | 'ignore' | 'register'> {
  const { rows } = await tx.query<Stamp & { host_epoch: number; state: string }>(LOCK_HOST, [hostId]);
  const host = rows[0];
  if (!host || host.host_epoch !== stamp.epoch) return 'register';
  // A repeated part of an inventory that was applied completely is old too.
  const old = host.epoch === stamp.epoch && host.seq >= stamp.seq;
  return old || host.state !== 'up' ? 'ignore' : 'apply';
}

/** The VMs of the facts, on any host. Not locked. */
export async function knownVms(tx: Transaction, ids: readonly VmId[]): Promise<Map<VmId, Known>> {
  if (ids.length === 0) return new Map();
  const { rows } = await tx.query<Known>(CURRENT, [[...ids]]);
  return new Map(rows.map((row) => [row.id, row]));
}

export interface FactsApplied {
  readonly changed: number;
  /** Jobs of reported VMs: they may have to wait no longer. */
  readonly waiting: JobId[];
}

/**
 * Applies facts to the VMs placed on the host. Most facts contain nothing new: only VMs that would change are locked,
 * and judged again under the lock.
 */
export async function applyFacts(
  tx: Transaction,
  hostId: HostId,
  stamp: Stamp,
  facts: ReadonlyMap<VmId, VmFact>,
  known: ReadonlyMap<VmId, Known>,
): Promise<FactsApplied> {
  const now = databaseNow();
  const waiting: JobId[] = [];
  const suspects: VmId[] = [];
  for (const vm of known.values()) {
    const fact = facts.get(vm.id);
    if (!fact || !isHere(vm, hostId)) continue;
    const verdict = judge(vm, fact, stamp, now);
    if (verdict.outcome === 'busy' && vm.task) waiting.push(vm.task.jobId);
    if (verdict.outcome === 'changed' || (verdict.outcome === 'busy' && verdict.patch)) suspects.push(vm.id);
  }
  const rows = suspects.length === 0 ? [] : await lockVms(tx, suspects);
  const changes = rows.flatMap((row) => {
    const fact = facts.get(row.id);
    const patch = fact && isHere(row, hostId) ? patchOf(row, fact, stamp, now) : null;
    return patch ? [{ row, patch }] : [];
  });
  await changeVms(tx, changes, now);
  return { changed: changes.length, waiting };
}

/** A report does not revive a VM that is deleting or deleted. */
export function isHere(vm: Pick<VmRow, 'host_id' | 'state'>, hostId: HostId): boolean {
  return vm.host_id === hostId && vm.state !== 'deleted' && vm.state !== 'deleting';
}

function patchOf(row: VmRow, fact: VmFact, stamp: Stamp, now: Date) {
  const verdict = judge(row, fact, stamp, now);
  return verdict.outcome === 'changed' || verdict.outcome === 'busy' ? verdict.patch : null;
}
