import { scriptOf } from '@novacron/redis/script';
import { RedisUnavailable, type RedisConnection } from '@novacron/redis/connection';
import type { RateLimits } from './rate-limits.js';

const EVERY_MS = 100;
/** In one script: Redis does nothing else meanwhile, some 3 µs for each. The others come 100 ms later. */
const MOST = 500;

/**
 * KEYS: a bucket each. ARGV: for each what was taken, its capacity, and how many come back in a second. A bucket is
 * kept as the time at which it will be full again (GCRA), by Redis' clock: nothing has to be filled up, and what is
 * full is forgotten. Answers what is left in each, in thousandths.
 */
const TAKE = scriptOf(`
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
  local left = {}
  for i, key in ipairs(KEYS) do
    local taken, capacity, rate = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]) / 1000
    local full = math.max(tonumber(redis.call('GET', key) or '0'), now) + taken / rate
    -- Whoever overdrew it everywhere at once waits for one bucketful, not for ever.
    full = math.min(full, now + 2 * capacity / rate)
    if full > now then redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil(full - now)) end
    left[i] = math.floor((capacity - (full - now) * rate) * 1000)
  end
  return left`);

/**
 * Tells Redis ten times a second what was taken here, and takes over what is left of it for all gateways. Without
 * Redis each gateway goes on counting by itself.
 * @returns ends it
 */
export function shareLimits(limits: RateLimits, redis: RedisConnection): () => void {
  let asking = false;
  const tick = async (): Promise<void> => {
    const some = limits.untold(MOST);
    if (some.length === 0) return;
    const keys = some.map(([name]) => `rate:${name}`);
    const args = some.flatMap(([, bucket]) => [bucket.tell(), bucket.capacity, bucket.perSecond].map(String));
    const left = (await redis.run(TAKE, keys, args)) as number[];
    const now = performance.now();
    some.forEach(([, bucket], i) => bucket.shared((left[i] as number) / 1_000, now));
  };
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    tick()
      .catch((error: unknown) => {
        if (!(error instanceof RedisUnavailable)) throw error;
      })
      .finally(() => (asking = false));
  }, EVERY_MS);
  return () => clearInterval(timer);
}
