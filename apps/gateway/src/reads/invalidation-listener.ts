import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { Cache } from '@novacron/cache/cache';
import { Watermark, watermarkSubject } from '@novacron/contracts/events';
import { Invalidation, invalidationSubjects, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';
import { onReconnect } from '@novacron/messaging/connect';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { Nats, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import type { z } from 'zod';

/**
 * Applies the invalidators' broadcasts to the L1. A reconnect may have lost some, so the L1 then starts empty.
 */
@Injectable()
export class InvalidationListener implements OnModuleInit {
  constructor(
    @Nats() private readonly nc: NatsConnection,
    private readonly cache: Cache,
    @ServiceLogger() private readonly logger: Logger,
    private readonly drain: DrainCoordinator,
  ) {}

  async onModuleInit(): Promise<void> {
    const { coherence } = this.cache;
    const subscriptions = [
      this.#subscribe(invalidationSubjects.orchestrator, Invalidation, (message) =>
        coherence.onInvalidation(message),
      ),
      this.#subscribe(watermarkSubject('orchestrator'), Watermark, ({ seq, position }) =>
        coherence.onWatermark(seq, parsePosition(position)),
      ),
      this.#subscribe(invalidationSubjects.metrics, MetricsInvalidation, (message) =>
        coherence.onMetrics(message),
      ),
    ];
    const forget = onReconnect(this.nc, () => coherence.onReconnect());
    coherence.start();
    this.drain.add('pools', 'invalidations', () => {
      forget();
      coherence.stop();
      for (const subscription of subscriptions) subscription.unsubscribe();
    });
    await this.nc.flush();
  }

  #subscribe<S extends z.ZodType>(subject: string, schema: S, apply: (message: z.infer<S>) => void) {
    return this.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return this.logger.error({ err: error, subject }, 'subscription failed');
        const parsed = schema.safeParse(jsonOf(message.string()));
        if (parsed.success) return apply(parsed.data);
        // An unreadable invalidation may concern any entry: the L1 drops all of them.
        this.logger.error({ err: parsed.error, subject }, 'invalidation not recognised');
        this.cache.coherence.onReconnect();
      },
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
