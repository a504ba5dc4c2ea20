import type { Condition } from '@novacron/contracts/common';
import type { HostId } from '@novacron/contracts/ids';
import type { Capability, Capacity, Host } from '@novacron/contracts/infrastructure';

/** The part of a host that decides placements. */
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
  /** VMs that were deleted while the host was away and that it has still to remove: it gets no new VMs before. */
  readonly cleanups: number;
}

export const RESOURCES = ['cpu', 'memory', 'disk'] as const;
export type Resource = (typeof RESOURCES)[number];

/** The free capacity of a host; below zero when more is allocated than it has. */
export function free(host: HostView, resource: Resource): number {
  return host.capacity[resource] - host.allocated[resource];
}
