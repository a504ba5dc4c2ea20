/**
 * The effect of a committed event on caches. {@link keyOf} makes keys, {@link groupOf} makes groups.
 *
 * - `resource`: the resource under `key` has reached `version` at `position`.
 * - `group`: the group changed at `position`; answers about the group that were read before it are old.
 */
export type Change =
  | { readonly what: 'resource'; readonly key: string; readonly version: number; readonly position: bigint }
  | GroupChange;

export interface GroupChange {
  readonly what: 'group';
  readonly group: string;
  readonly position: bigint;
}

/** @param id of the resource, or a hash of the query that a list answers; without `~` */
export function keyOf(tenantId: string, type: string, id: string): string {
  return `${tenantId}:${type}:${id}`;
}

/** Entries that become old together: a tenant's lists of one kind, the metrics of one VM. */
export function groupOf(tenantId: string, name: string): string {
  return `${tenantId}:${name}`;
}
