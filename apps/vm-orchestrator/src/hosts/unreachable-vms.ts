import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostId, VmId } from '@novacron/contracts/ids';
import type { Host } from '@novacron/contracts/infrastructure';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { canTransition, VM_STATES, type VmState } from '@novacron/vm-lifecycle/states';
import { databaseNow } from '../database/clock.js';
import { changeVms, lockVms, type VmPatch } from '../vms/change.js';
import { withoutGuest } from '../vms/guest-conditions.js';
import type { VmRow } from '../vms/row.js';
import { HOST_UNREACHABLE } from './row.js';
import { withCondition } from '../vms/conditions.js';

/** States in which an unreachable host may have a guest. A suspended VM is a file. */
const MAY_HAVE_GUEST = VM_STATES.filter((state) => state !== 'suspended' && canTransition(state, 'unknown'));
const BATCH = 500;

const AFFECTED: Statement = {
  name: 'vms-unreachable',
  // Host by host, by the index: Postgres planned the join as a scan of all VMs, once a second.
  text: `SELECT v.id FROM hosts h CROSS JOIN LATERAL (
      SELECT id, task, state, conditions FROM vms WHERE host_id = h.id AND state <> 'deleted' OFFSET 0) v
    WHERE h.state <> 'up' AND (
      (v.task IS NULL AND v.state = ANY($1))
      OR (v.task IS NOT NULL AND NOT v.conditions @> '[{"type": "${HOST_UNREACHABLE}"}]')
      OR (h.state = 'fenced' AND v.task IS NULL AND v.state = 'unknown'))
    ORDER BY v.id LIMIT ${BATCH}`,
};
const HOST_STATES: Statement = {
  name: 'hosts-states',
  text: 'SELECT id, name, state FROM hosts WHERE id = ANY($1)',
};

type HostState = Pick<Host, 'id' | 'name' | 'state'>;

/** The patch of a VM whose host is lost; null when it changes nothing. Pure. */
export function withoutHost(vm: VmRow, host: HostState, now: Date): VmPatch | null {
  if (host.state === 'up') return null;
  const conditions = withCondition(withoutGuest(vm.conditions), {
    type: HOST_UNREACHABLE,
    status: 'true',
    reason: host.state === 'fenced' ? 'HostFenced' : 'HostDown',
    message: `${host.name} is ${host.state}`,
    lastTransitionAt: now.toISOString(),
  });
  // A live job continues until its deadline: the job decides the state of the VM.
  if (vm.task !== null)
    return vm.conditions.some(({ type }) => type === HOST_UNREACHABLE) ? null : { conditions };
  // A fenced host runs no guests: that is what the operator confirms by the fence.
  if (host.state === 'fenced' && mayHaveGuest(vm.state) && canTransition(vm.state, 'stopped')) {
    return { state: 'stopped', stop_reason: 'host_lost', conditions };
  }
  return mayHaveGuest(vm.state) && vm.state !== 'unknown' ? { state: 'unknown', conditions } : null;
}

function mayHaveGuest(state: VmState): boolean {
  return state === 'unknown' || MAY_HAVE_GUEST.includes(state);
}

/** Marks the VMs of hosts that are down or fenced, by the present state, so that a crash loses nothing. */
@Injectable()
export class UnreachableVms {
  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /** Runs until no VM is left to mark. */
  async sweep(): Promise<void> {
    for (;;) {
      const { rows } = await this.db.primary.query<{ id: VmId }>(AFFECTED, [MAY_HAVE_GUEST]);
      if (rows.length === 0) return;
      const marked = await this.#mark(rows.map(({ id }) => id));
      if (marked > 0) this.log.warn({ vms: marked }, 'VMs of lost hosts marked');
      if (rows.length < BATCH || marked === 0) return;
    }
  }

  async #mark(ids: readonly VmId[]): Promise<number> {
    const { result } = await this.db.transaction({}, async (tx) => {
      const now = databaseNow();
      const vms = await lockVms(tx, ids);
      const hostIds = [...new Set(vms.flatMap(({ host_id }) => host_id ?? []))];
      const hosts = new Map<HostId, HostState>(
        (await tx.query<HostState>(HOST_STATES, [hostIds])).rows.map((host) => [host.id, host]),
      );
      const changes = vms.flatMap((row) => {
        const host = row.host_id === null ? undefined : hosts.get(row.host_id);
        const patch = host && withoutHost(row, host, now);
        return patch ? [{ row, patch }] : [];
      });
      await changeVms(tx, changes, now);
      return changes.length;
    });
    return result;
  }
}
