import { L1 } from '@novacron/cache/l1';

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

const { get, fill } = L1.prototype;
L1.prototype.get = function (this: L1, key, ...more) {
  const { events, filledAt } = countedOf(this);
  const filled = filledAt.get(key);
  const old = filled !== undefined && filled.count !== (events.get(filled.group) ?? 0);
  return old ? undefined : get.call(this, key, ...more);
};
L1.prototype.fill = function (this: L1, key, entry, group = null, ...more) {
  const { events, filledAt } = countedOf(this);
  if (group !== null) filledAt.set(key, { group, count: events.get(group) ?? 0 });
  return fill.call(this, key, entry, group, ...more);
};
L1.prototype.invalidateLists = function (this: L1, group) {
  const { events } = countedOf(this);
  events.set(group, (events.get(group) ?? 0) + 1);
};
