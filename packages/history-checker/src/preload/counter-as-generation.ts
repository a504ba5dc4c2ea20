import { moduleOf } from './module-of.js';

/** The part of packages/cache that this changes. */
interface L1 {
  get(key: string, ...more: unknown[]): unknown;
  fill(key: string, entry: unknown, group?: string | null): boolean;
  invalidateLists(group: string): void;
}

interface Counted {
  /** The number of events of each group so far. */
  readonly events: Map<string, number>;
  /** That number when a list was stored. */
  readonly filledAt: Map<string, { group: string; count: number }>;
}

const counts = new WeakMap<L1, Counted>();

function countedOf(l1: L1): Counted {
  let counted = counts.get(l1);
  if (!counted) counts.set(l1, (counted = { events: new Map(), filledAt: new Map() }));
  return counted;
}

const { L1 } = (await moduleOf('cache', 'l1.js')) as { L1: { prototype: L1 } };
const { get, fill } = L1.prototype;
Object.assign(L1.prototype, {
  get(this: L1, key: string, ...more: unknown[]) {
    const { events, filledAt } = countedOf(this);
    const filled = filledAt.get(key);
    const old = filled !== undefined && filled.count !== (events.get(filled.group) ?? 0);
    return old ? undefined : get.call(this, key, ...more);
  },
  fill(this: L1, key: string, entry: unknown, group: string | null = null) {
    const { events, filledAt } = countedOf(this);
    if (group !== null) filledAt.set(key, { group, count: events.get(group) ?? 0 });
    return fill.call(this, key, entry, group);
  },
  invalidateLists(this: L1, group: string) {
    const { events } = countedOf(this);
    events.set(group, (events.get(group) ?? 0) + 1);
  },
});
