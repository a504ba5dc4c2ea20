import { L2 } from '@novacron/cache/l2';
import { L2Inspector } from '@novacron/cache/l2-inspector';
import type { RedisOptions } from '@novacron/redis/connection';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { Injectable } from '@nestjs/common';
import type { CacheConfig } from '../config.js';

/** No reader waits for this service, so a busy Redis is not mistaken for one that is away. Milliseconds. */
const TIMEOUT_MS = 1_000;

/** The cache in Redis that all gateways share. */
@Injectable()
export class SharedCache extends L2 {
  constructor(@ServiceConfig() config: CacheConfig, @ServiceLogger() logger: Logger) {
    super(optionsOf(config, logger));
  }
}

/** Reads samples and the size of the shared cache, on a connection of its own. */
@Injectable()
export class SharedCacheInspector extends L2Inspector {
  constructor(@ServiceConfig() config: CacheConfig, @ServiceLogger() logger: Logger) {
    super(optionsOf(config, logger));
  }
}

function optionsOf({ redis }: CacheConfig, logger: Logger): RedisOptions {
  return {
    ...redis,
    timeoutMs: TIMEOUT_MS,
    onError: (err) => logger.debug({ err }, 'Redis connection failed'),
    onRefused: (err) => logger.warn({ err }, 'Redis refused a command of the shared cache'),
  };
}
