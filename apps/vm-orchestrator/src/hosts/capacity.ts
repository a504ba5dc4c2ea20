import type { Condition } from '@novacron/contracts/common';
import type { HostId, VmId } from '@novacron/contracts/ids';
import { blocksPlacement } from '@novacron/contracts/infrastructure';
import type { Call, Statement, Transaction } from '@novacron/postgres/database';
import type { VmRow } from '../vms/row.js';

/** The change of a host's capacity, in the same transaction as the state. */
export type HostEffect =
  | { readonly effect: 'reserve'; readonly hostId: HostId }
  | { readonly effect: 'release' }
  /** To another host; the one before keeps the capacity until it has removed its copy. */
  | { readonly effect: 'move'; readonly hostId: HostId }
  /** The host does not answer: it keeps the capacity until its clean-up is done. */
  | { readonly effect: 'leave-cleanup' };

export interface HostChange {
  readonly effect: Exclude<HostEffect['effect'], 'move'>;
  readonly hostId: HostId;
  readonly vm: VmRow;
}

interface HostCapacity {
  id: HostId;
  state: string;
  schedulable: boolean;
  cpu: number;
  memory: number;
  disk: number;
  allocated_cpu: number;
  allocated_memory: number;
  allocated_disk: number;
  vm_count: number;
  conditions: Condition[];
}

const LOCK_HOSTS: Statement = {
  name: 'hosts-lock-room',
  text: `SELECT id, state, schedulable, cpu, memory, disk, allocated_cpu, allocated_memory, allocated_disk, vm_count, conditions
    FROM hosts WHERE id = ANY($1) ORDER BY id FOR UPDATE`,
};

const SET_ALLOCATED: Statement = {
  name: 'hosts-set-room',
  text: `UPDATE hosts h SET allocated_cpu = x.allocated_cpu, allocated_memory = x.allocated_memory,
      allocated_disk = x.allocated_disk, vm_count = x.vm_count
    FROM json_populate_recordset(null::hosts, $1) x WHERE h.id = x.id`,
};

const LEAVE_CLEANUPS: Statement = {
  name: 'cleanups-leave',
  text: `INSERT INTO cleanups (host_id, vm_id, tenant_id, fence, cpu, memory, disk, created_at)
    SELECT host_id, id, tenant_id, fence, cpu, memory, disk, $2 FROM json_populate_recordset(null::vms, $1)
    ON CONFLICT (host_id, vm_id) DO NOTHING`,
};

/**
 * Allocates and releases capacity of hosts in the transaction of the state change. A reservation is refused when the
 * host has no capacity left, is cordoned, is not up or has a condition that blocks placement; the caller then places
 * again.
 */
export async function applyHostEffects(
  tx: Transaction,
  changes: readonly HostChange[],
  now: Date,
): Promise<{ refused: Set<VmId> }> {
  const refused = new Set<VmId>();
  if (changes.length === 0) return { refused };
  const ids = [...new Set(changes.map((change) => change.hostId))];
  const hosts = new Map(
    (await tx.query<HostCapacity>(LOCK_HOSTS, [ids])).rows.map((host) => [host.id, host]),
  );
  for (const { effect, hostId, vm } of changes) {
    const host = hosts.get(hostId);
    if (effect === 'reserve' && !(host && admits(host, vm))) refused.add(vm.id);
    else if (host && effect === 'reserve') allocate(host, vm, 1);
    else if (host && effect === 'release') allocate(host, vm, -1);
  }
  const calls: Call[] = [{ statement: SET_ALLOCATED, params: [JSON.stringify([...hosts.values()])] }];
  const left = changes
    .filter((change) => change.effect === 'leave-cleanup' && !refused.has(change.vm.id))
    .map((c) => ({ ...c.vm, host_id: c.hostId }));
  if (left.length > 0) calls.push({ statement: LEAVE_CLEANUPS, params: [JSON.stringify(left), now] });
  await tx.pipeline(calls);
  return { refused };
}

function admits(host: HostCapacity, vm: VmRow): boolean {
  return (
    host.state === 'up' &&
    host.schedulable &&
    !host.conditions.some(({ type }) => blocksPlacement(type)) &&
    host.allocated_cpu + vm.cpu <= host.cpu &&
    host.allocated_memory + vm.memory <= host.memory &&
    host.allocated_disk + vm.disk <= host.disk
  );
}

function allocate(host: HostCapacity, vm: VmRow, sign: 1 | -1): void {
  host.allocated_cpu += sign * vm.cpu;
  host.allocated_memory += sign * vm.memory;
  host.allocated_disk += sign * vm.disk;
  host.vm_count += sign;
}
