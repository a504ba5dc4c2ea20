import type { JetStreamClient } from '@nats-io/jetstream';
import { newId } from '@novacron/contracts/ids';
import type { PartitionBatch } from '@novacron/contracts/metric-batches';
import { metricSubject } from '@novacron/contracts/metrics';
import { ServiceError } from '@novacron/contracts/errors';
import { publishEvent } from '@novacron/messaging/publisher';
import type { TimeBounds } from './check-points.js';

/** The gateway's place among the sources of metrics. */
const SOURCE = 'gateway';
const TIMEOUT_MS = 5_000;
const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** How far back and ahead points are accepted. metrics-ingest has the same bounds, and drops the other points. */
export interface MetricTimes {
  readonly retentionDays: number;
  readonly futureMinutes: number;
}

/** Publishes batches to JetStream. At most `capacity` are in flight at once; more are refused. */
export class MetricsPublisher {
  private inFlight = 0;

  constructor(
    private readonly js: JetStreamClient,
    private readonly times: MetricTimes,
    private readonly capacity = 256,
  ) {}

  /** The times of points that are accepted now, in milliseconds since 1970, both included. */
  bounds(now = Date.now()): TimeBounds {
    const { retentionDays, futureMinutes } = this.times;
    return { oldest: now - retentionDays * DAY, newest: now + futureMinutes * MINUTE };
  }

  /**
   * Resolves when JetStream has stored every batch.
   * @throws ServiceError `overloaded`, or `dependency_down` or `deadline_exceeded` when not all were stored:
   *   sending the same points again is safe, because VM, metric and time identify a point
   */
  async publish(batches: readonly PartitionBatch[]): Promise<void> {
    if (this.inFlight + batches.length > this.capacity) {
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
