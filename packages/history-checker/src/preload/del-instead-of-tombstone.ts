import { L1 } from '@novacron/cache/l1';
import { scripts } from '@novacron/cache/l2-scripts';
import { scriptOf } from '@novacron/redis/script';

const removed = new WeakMap<L1, Set<string>>();

function removedOf(l1: L1): Set<string> {
  let keys = removed.get(l1);
  if (!keys) removed.set(l1, (keys = new Set()));
  return keys;
}

const { get, peek, fill } = L1.prototype;
L1.prototype.get = function (this: L1, key, ...more) {
  return removedOf(this).has(key) ? undefined : get.call(this, key, ...more);
};
L1.prototype.peek = function (this: L1, key, ...more) {
  return removedOf(this).has(key) ? undefined : peek.call(this, key, ...more);
};
L1.prototype.fill = function (this: L1, key, ...more) {
  removedOf(this).delete(key);
  return fill.call(this, key, ...more);
};
L1.prototype.tombstone = function (this: L1, key) {
  removedOf(this).add(key);
};

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
