import { type EventKind, PLATFORM } from '@novacron/contracts/events';
import type { InvalidatedEvent, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';
import { type Change, type GroupChange, groupOf, keyOf } from './change.js';
import type { ResourceType } from './resources.js';

/** Groups of answers that become old together. Zones and images belong to no tenant: their groups are `platform`'s. */
export const GROUPS = { vms: 'vms', jobs: 'jobs', zones: 'zones', images: 'images' } as const;
export type GroupName = (typeof GROUPS)[keyof typeof GROUPS];

/** The group of all cached metrics of a VM. */
export function metricsGroup(vmId: string): string {
  return `metrics-${vmId}`;
}

/**
 * - `resource`: the event's own resource, cached under its id as this type in the event's tenant.
 * - `group`: a group, of the event's tenant or of the platform.
 */
export type Rule =
  | { readonly resource: ResourceType }
  | { readonly group: GroupName; readonly of: 'tenant' | typeof PLATFORM };

/**
 * What an event of each kind makes old. A zone shows what its hosts offer and what VMs have taken of it. An image shows
 * the zones whose hosts have it. Both are therefore answers about hosts. No cache holds a quota.
 */
export const RULES: Readonly<Record<EventKind, readonly Rule[]>> = {
  vm: [{ resource: 'vm' }, { group: GROUPS.vms, of: 'tenant' }, { group: GROUPS.zones, of: PLATFORM }],
  job: [{ resource: 'job' }, { group: GROUPS.jobs, of: 'tenant' }],
  host: [
    { group: GROUPS.zones, of: PLATFORM },
    { group: GROUPS.images, of: PLATFORM },
  ],
  image: [
    { group: GROUPS.images, of: PLATFORM },
    { group: GROUPS.zones, of: PLATFORM },
  ],
  zone: [
    { group: GROUPS.zones, of: PLATFORM },
    { group: GROUPS.images, of: PLATFORM },
  ],
  quota: [],
};

/** The changes that this event makes, at its position. The invalidators and every L1 use the same rules. */
export function changesOf(event: InvalidatedEvent, position: bigint): Change[] {
  return RULES[event.kind].map((rule) => {
    if ('resource' in rule) {
      const key = keyOf(event.tenantId, rule.resource, event.id);
      return { what: 'resource', key, version: event.version, position };
    }
    const tenantId = rule.of === 'tenant' ? event.tenantId : rule.of;
    return { what: 'group', group: groupOf(tenantId, rule.group), position };
  });
}

/** The changes that new points make. */
export function changesOfMetrics({
  vmIds,
  tenantIds,
  position,
}: Pick<MetricsInvalidation, 'vmIds' | 'tenantIds' | 'position'>): GroupChange[] {
  const { lsn } = parsePosition(position);
  return vmIds.map((vmId, i) => ({
    what: 'group',
    group: groupOf(tenantIds[i] as string, metricsGroup(vmId)),
    position: lsn,
  }));
}

/** The latest change for each key and group. */
export function merged(changes: Iterable<Change>): Change[] {
  const latest = new Map<string, Change>();
  for (const change of changes) {
    const name = change.what === 'resource' ? change.key : `~${change.group}`;
    const known = latest.get(name);
    latest.set(name, known === undefined ? change : later(known, change));
  }
  return [...latest.values()];
}

/** Of a resource the higher version and the higher position count, each independently, as with two tombstones. */
function later(a: Change, b: Change): Change {
  const position = a.position > b.position ? a.position : b.position;
  if (a.what === 'group' || b.what === 'group') return { ...a, position };
  return { ...a, version: Math.max(a.version, b.version), position };
}
