import type { Condition } from '@novacron/contracts/common';
import type { HostId, TenantId, VmId } from '@novacron/contracts/ids';
import type { Capability, Capacity, Host } from '@novacron/contracts/infrastructure';

/** What placement looks at in a host. */
export interface HostView {
  readonly id: HostId;
  readonly name: string;
  readonly zone: string;
  readonly state: Host['state'];
  readonly schedulable: boolean;
  readonly conditions: readonly Condition[];
  readonly capabilities: readonly Capability[];
  readonly images: readonly string[];
  readonly capacity: Capacity;
  readonly allocated: Capacity;
  /** VMs deleted while the host was away that it has still to remove: it gets nothing new before. */
  readonly cleanups: number;
}

/** What is to be placed: `cpu` in virtual CPUs, `memory` in MiB, `disk` in GiB. */
export interface PlacementRequest extends Capacity {
  readonly vmId: VmId;
  readonly tenantId: TenantId;
  readonly zone: string;
  readonly image: string;
  readonly needs: readonly Capability[];
}

export const RESOURCES = ['cpu', 'memory', 'disk'] as const;
export type Resource = (typeof RESOURCES)[number];

/** What a host has left; below zero when more was promised than there is. */
export function free(host: HostView, resource: Resource): number {
  return host.capacity[resource] - host.allocated[resource];
}
