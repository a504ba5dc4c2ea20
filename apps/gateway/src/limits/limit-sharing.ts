import { Injectable, type OnModuleInit } from '@nestjs/common';
import { RedisConnection } from '@novacron/redis/connection';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type { GatewayConfig } from '../config.js';
import { RateLimits } from './rate-limits.js';
import { shareLimits } from './share-limits.js';

/** Reconciles this process' rate limits with the other gateways while Redis is reachable. */
@Injectable()
export class LimitSharing implements OnModuleInit {
  constructor(
    private readonly limits: RateLimits,
    @ServiceConfig() private readonly config: GatewayConfig,
    @ServiceLogger() private readonly logger: Logger,
    private readonly drain: DrainCoordinator,
  ) {}

  onModuleInit(): void {
    const redis = new RedisConnection({
      url: this.config.redis.url,
      onError: (error) =>
        this.logger.debug({ err: error }, 'Redis is unreachable: rates are counted per gateway'),
      onRefused: (error) =>
        this.logger.warn({ err: error }, 'Redis refused the rate limits: rates are counted per gateway'),
    });
    const stop = shareLimits(this.limits, redis);
    this.drain.add('pools', 'limits', () => {
      stop();
      redis.close();
    });
  }
}
