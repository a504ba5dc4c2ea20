import { moduleOf } from './module-of.js';

/** The part of packages/cache that this changes. */
interface L1 {
  get(key: string, ...more: unknown[]): unknown;
  peek(key: string, ...more: unknown[]): unknown;
  fill(key: string, ...more: unknown[]): boolean;
  tombstone(key: string): void;
}

const removed = new WeakMap<L1, Set<string>>();

function removedOf(l1: L1): Set<string> {
  let keys = removed.get(l1);
  if (!keys) removed.set(l1, (keys = new Set()));
  return keys;
}

const { L1 } = (await moduleOf('cache', 'l1.js')) as { L1: { prototype: L1 } };
const { get, peek, fill } = L1.prototype;
Object.assign(L1.prototype, {
  get(this: L1, key: string, ...more: unknown[]) {
    return removedOf(this).has(key) ? undefined : get.call(this, key, ...more);
  },
  peek(this: L1, key: string, ...more: unknown[]) {
    return removedOf(this).has(key) ? undefined : peek.call(this, key, ...more);
  },
  fill(this: L1, key: string, ...more: unknown[]) {
    removedOf(this).delete(key);
    return fill.call(this, key, ...more);
  },
  tombstone(this: L1, key: string) {
    removedOf(this).add(key);
  },
});

const { scripts } = (await moduleOf('cache', 'l2-scripts.js')) as { scripts: { invalidate: unknown } };
const { scriptOf } = (await moduleOf('redis', 'script.js')) as { scriptOf: (text: string) => unknown };
scripts.invalidate = scriptOf(`
for i = 1, #KEYS / 2 do
  if ARGV[i * 2] ~= '' then redis.call('DEL', KEYS[i * 2 - 1])
  else
    local known = redis.call('GET', KEYS[i * 2 - 1])
    local position = ARGV[i * 2 + 1]
    if known and known > position then position = known end
    redis.call('SET', KEYS[i * 2 - 1], position, 'PX', ARGV[1])
  end
end
return 0
`);
