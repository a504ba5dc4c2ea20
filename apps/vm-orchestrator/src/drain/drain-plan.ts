import { BLOCKED_NAMED, type HostDrain } from '@novacron/contracts/infrastructure';
import type { PlacedColumns } from '../placement/request.js';
import type { VmRow } from '../vms/row.js';

type Shown = 'id' | 'tenant_id' | 'name' | 'state' | 'host_id' | 'task' | 'last_error';

/** The part of a VM that decides what a drain does with it. */
export interface DrainedVm extends Pick<VmRow, Shown>, PlacedColumns {
  /** Whether a new disk on another host loses no data. */
  readonly rebuildable: boolean;
}

export interface DrainPlan {
  /** VMs whose migration may begin now. */
  readonly begin: readonly DrainedVm[];
  readonly blocked: HostDrain['blocked'];
}

/** Migrations of one host at a time: each stops a guest and makes another one. */
const AT_ONCE = 10;
/** The pause after a failed job of a VM, so that a host does not refuse the same request every second. */
const AFTER_FAILURE_MS = 60_000;

/**
 * The next actions of a drain. A running guest is stopped in any case; a VM that is off leaves when another host has
 * capacity. Pure.
 *
 * @param now the database's time
 * @param noCapacity why no other host has capacity for the VM; null when one has
 */
export function planDrain(
  vms: readonly DrainedVm[],
  noCapacity: (vm: DrainedVm) => string | null,
  now: Date,
): DrainPlan {
  const begin: DrainedVm[] = [];
  const blocked: HostDrain['blocked'] = [];
  const underWay = vms.filter(({ task }) => task?.kind === 'cold-migrate').length;
  const slots = Math.max(0, AT_ONCE - underWay);
  for (const vm of vms) {
    if (begin.length >= slots && blocked.length >= BLOCKED_NAMED) break;
    if (vm.task !== null) continue;
    const reason = whyNot(vm, noCapacity, now);
    if (reason === null) begin.push(vm);
    else if (blocked.length < BLOCKED_NAMED)
      blocked.push({ vmId: vm.id, tenantId: vm.tenant_id, name: vm.name, reason: reason.slice(0, 300) });
  }
  return { begin: begin.slice(0, slots), blocked };
}

function whyNot(vm: DrainedVm, noCapacity: (vm: DrainedVm) => string | null, now: Date): string | null {
  const { last_error: failed } = vm;
  if (failed && now.getTime() - Date.parse(failed.at) < AFTER_FAILURE_MS)
    return `it failed at ${failed.at} and is tried again: ${failed.detail}`;
  if (vm.state === 'running' || vm.state === 'paused') return null;
  if (vm.state !== 'stopped') return `it is ${vm.state}`;
  if (!vm.rebuildable) return `image ${vm.image} is not rebuildable: its disk is on this host alone`;
  return noCapacity(vm);
}
