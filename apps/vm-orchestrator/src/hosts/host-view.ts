import type { Condition } from '@novacron/contracts/common';
import type { HostId } from '@novacron/contracts/ids';
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

export const RESOURCES = ['cpu', 'memory', 'disk'] as const;
export type Resource = (typeof RESOURCES)[number];

/** What a host has left; below zero when more was promised than there is. */
export function free(host: HostView, resource: Resource): number {
  return host.capacity[resource] - host.allocated[resource];
}
