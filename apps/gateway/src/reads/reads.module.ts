import { Module } from '@nestjs/common';
import { Cache } from '@novacron/cache/cache';
import { L2 } from '@novacron/cache/l2';
import { changesOf } from '@novacron/cache/rules';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { TOKENS } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type { GatewayConfig } from '../config.js';
import { CacheMetrics } from './cache-metrics.js';
import { InvalidationListener } from './invalidation-listener.js';
import { Reads } from './reads.js';

/** The caches of this process (in memory, and in Redis where it is reachable) and the reads through them. */
@Module({
  providers: [
    {
      provide: Cache,
      inject: [TOKENS.config, TOKENS.logger, DrainCoordinator],
      useFactory: ({ redis, cache }: GatewayConfig, logger: Logger, drain: DrainCoordinator) => {
        const l2 = new L2({
          url: redis.url,
          onError: (error) => logger.debug({ err: error }, 'Redis is unreachable'),
          onRefused: (error) => logger.warn({ err: error }, 'Redis refused a cache command'),
        });
        drain.add('pools', 'caches', () => l2.close());
        return new Cache({ maxBytes: cache.maxMiB * 1_048_576, l2, rules: changesOf });
      },
    },
    Reads,
    InvalidationListener,
    CacheMetrics,
  ],
  exports: [Reads, Cache],
})
export class ReadsModule {}
