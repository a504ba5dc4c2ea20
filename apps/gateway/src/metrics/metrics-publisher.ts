import { Injectable } from '@nestjs/common';
import type { JetStreamClient } from '@nats-io/jetstream';
import { newId } from '@novacron/contracts/ids';
import type { PartitionBatch } from '@novacron/contracts/metric-batches';
import { metricSubject } from '@novacron/contracts/metrics';
import { ServiceError } from '@novacron/contracts/errors';
import { publishEvent } from '@novacron/messaging/publisher';
import { JetStream, ServiceConfig } from '@novacron/service-kit/inject';
import type { GatewayConfig } from '../config.js';
import type { TimeBounds } from './check-points.js';

/** The gateway's place among the sources of metrics. */
const SOURCE = 'gateway';
const TIMEOUT_MS = 5_000;
const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** Batches in flight at once; more are refused. */
const CAPACITY = 256;

/** Publishes batches to JetStream. */
@Injectable()
export class MetricsPublisher {
  private inFlight = 0;

  constructor(
    @JetStream() private readonly js: JetStreamClient,
    @ServiceConfig() private readonly config: GatewayConfig,
  ) {}

  /**
   * The times of points that are accepted now, in milliseconds since 1970, both included. metrics-ingest has the same
   * bounds, and drops the other points.
   */
  bounds(now = Date.now()): TimeBounds {
    const { retentionDays, futureMinutes } = this.config.metricTimes;
    return { oldest: now - retentionDays * DAY, newest: now + futureMinutes * MINUTE };
  }

  /**
   * Resolves when JetStream has stored every batch.
   * @throws ServiceError `overloaded`, or `dependency_down` or `deadline_exceeded` when not all were stored:
   *   sending the same points again is safe, because VM, metric and time identify a point
   */
  async publish(batches: readonly PartitionBatch[]): Promise<void> {
    if (this.inFlight + batches.length > CAPACITY) {
      throw new ServiceError('overloaded', 'Too many metrics are on their way.', { retryAfterMs: 1_000 });
    }
    this.inFlight += batches.length;
    try {
      await Promise.all(
        batches.map(({ partition, batch }) =>
          publishEvent(
            this.js,
            metricSubject(partition, SOURCE),
            Buffer.from(JSON.stringify(batch)),
            newId(),
            TIMEOUT_MS,
          ),
        ),
      );
    } finally {
      this.inFlight -= batches.length;
    }
  }
}
