import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { ServiceError } from '@novacron/contracts/errors';
import { publishEvent } from '@novacron/messaging/publisher';
import { randomUUID } from 'node:crypto';
import type { Clock } from '../time/clock.js';
import type { Sample } from '../drivers/driver.js';
import { encodeSamples } from './metric-batches.js';
import { MetricBuffer, type PendingBatch } from './metric-buffer.js';

/** Concurrent publishes: enough to hide the round trip, few enough not to flood a restarted server. */
const IN_FLIGHT = 16;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;

export interface MetricPublisherOptions {
  readonly nc: NatsConnection;
  readonly source: string;
  readonly clock: Clock;
  /** The bound of the waiting batches; the oldest are dropped first. */
  readonly maxBytes: number;
  readonly onPublished: (points: number) => void;
  readonly onDropped: (points: number, why: string) => void;
}

/** Publishes samples to JetStream. While JetStream is away, the buffer keeps them. */
export class MetricPublisher {
  readonly #buffer: MetricBuffer;
  #pumping: Promise<void> | undefined;
  #closing = new AbortController();

  constructor(private readonly options: MetricPublisherOptions) {
    this.#buffer = new MetricBuffer(options.maxBytes, (points) =>
      options.onDropped(points, 'the buffer is full'),
    );
  }

  /** The number of waiting batches. */
  get waiting(): number {
    return this.#buffer.length;
  }

  add(samples: readonly Sample[]): void {
    for (const batch of encodeSamples(this.options.source, samples, randomUUID)) this.#buffer.push(batch);
    this.#pumping ??= this.#pump().finally(() => (this.#pumping = undefined));
  }

  /** Resolves when no batch waits, or the publisher is closed. */
  async idle(): Promise<void> {
    await this.#pumping;
  }

  /** Waits for the publishes under way, at most `ms`. */
  async close(ms: number): Promise<void> {
    const cancel = this.options.clock.after(ms, () => this.#closing.abort());
    await this.#pumping;
    cancel();
  }

  async #pump(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (this.#buffer.length > 0 && !this.#closing.signal.aborted) {
      const batches = this.#buffer.take(IN_FLIGHT);
      const left = await Promise.all(batches.map((batch) => this.#publish(batch)));
      const again = left.filter((batch) => batch !== undefined);
      this.#buffer.putBack(again);
      if (again.length === 0) {
        retryMs = FIRST_RETRY_MS;
        continue;
      }
      const { clock } = this.options;
      await Promise.allSettled([clock.sleep(retryMs, this.#closing.signal)]);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  }

  /** Returns the batch if it must be retried. */
  async #publish(batch: PendingBatch): Promise<PendingBatch | undefined> {
    const { nc, onDropped, onPublished } = this.options;
    try {
      await publishEvent(jetstream(nc), batch.subject, batch.bytes, batch.messageId);
      onPublished(batch.points);
      return undefined;
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'body_too_large') return batch;
      onDropped(batch.points, error.detail);
      return undefined;
    }
  }
}
