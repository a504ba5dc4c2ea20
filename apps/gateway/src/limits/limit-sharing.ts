import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { RedisConnection, RedisUnavailable } from '@novacron/redis/connection';
import { scriptOf } from '@novacron/redis/script';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type { GatewayConfig } from '../config.js';
import { RateLimits } from './rate-limits.js';

const EVERY_MS = 100;
/** Buckets in one script. Redis runs nothing else meanwhile, about 3 µs for each. The rest follows 100 ms later. */
const MOST = 500;

/**
 * KEYS: one for each bucket. ARGV: for each bucket what was taken, its capacity, and its rate a second. A bucket is kept
 * as the time at which it will be full again (GCRA), by Redis' clock: nothing has to be refilled, and a full bucket
 * expires. Returns the rest of each, in thousandths.
 */
const TAKE = scriptOf(`
  local time = redis.call('TIME')
  local now = time[1] * 1000 + time[2] / 1000
  local left = {}
  for i, key in ipairs(KEYS) do
    local taken, capacity, rate = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]) / 1000
    local full = math.max(tonumber(redis.call('GET', key) or '0'), now) + taken / rate
    -- A caller who overdrew it at all gateways at once waits for one bucketful, not without limit.
    full = math.min(full, now + 2 * capacity / rate)
    if full > now then redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil(full - now)) end
    left[i] = math.floor((capacity - (full - now) * rate) * 1000)
  end
  return left`);

/**
 * Reconciles this process' rate limits with the other gateways. Ten times a second it sends Redis what was taken here,
 * and adopts the rest that all gateways share. Without Redis each gateway counts on its own.
 */
@Injectable()
export class LimitSharing implements OnModuleInit {
  constructor(
    private readonly limits: RateLimits,
    @ServiceConfig() private readonly config: GatewayConfig,
    @ServiceLogger() private readonly logger: Logger,
    private readonly drain: DrainCoordinator,
  ) {}

  onModuleInit(): void {
    const { logger } = this;
    const redis = new RedisConnection({
      url: this.config.redis.url,
      onError: (error) => logger.debug({ err: error }, 'Redis is unreachable: rates are counted per gateway'),
      onRefused: (error) =>
        logger.warn({ err: error }, 'Redis refused the rate limits: rates are counted per gateway'),
    });
    const sharing = new Periodic(() => this.#reconcile(redis), { everyMs: EVERY_MS });
    sharing.start();
    this.drain.add('pools', 'limits', async () => {
      await sharing.stop();
      redis.close();
    });
  }

  async #reconcile(redis: RedisConnection): Promise<void> {
    const some = this.limits.drainUnsynced(MOST);
    if (some.length === 0) return;
    const keys = some.map(([name]) => `rate:${name}`);
    const args = some.flatMap(([, bucket]) =>
      [bucket.drain(), bucket.capacity, bucket.perSecond].map(String),
    );
    try {
      const left = (await redis.run(TAKE, keys, args)) as number[];
      const now = performance.now();
      some.forEach(([, bucket], i) => bucket.reconcile((left[i] as number) / 1_000, now));
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
    }
  }
}
