import { Injectable } from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { changesOfMetrics } from '@novacron/cache/rules';
import { invalidationSubjects, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';
import { Nats, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { parseJson } from '../messages/event-header.js';
import { TombstoneWriter } from './tombstone-writer.js';

/** One of all instances takes each message. */
const QUEUE = 'cache';

/** Moves the list generations of metrics in L2 when new points arrive. Every L1 receives the messages by itself. */
@Injectable()
export class MetricsListener {
  #subscription: Subscription | undefined;

  constructor(
    @Nats() private readonly nc: NatsConnection,
    private readonly tombstones: TombstoneWriter,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  start(): void {
    this.#subscription ??= this.nc.subscribe(invalidationSubjects.metrics, {
      queue: QUEUE,
      callback: (error, message) => {
        if (error) this.logger.error({ err: error }, 'metrics subscription failed');
        else this.#receive(message.data);
      },
    });
  }

  stop(): void {
    this.#subscription?.unsubscribe();
  }

  #receive(data: Uint8Array): void {
    const parsed = MetricsInvalidation.safeParse(parseJson(data));
    if (!parsed.success) {
      this.logger.error({ err: parsed.error }, 'malformed metrics invalidation discarded');
      return;
    }
    // A message without VMs only reports the ingester's progress, for listeners that keep a watermark.
    if (parsed.data.vmIds.length === 0) return;
    const { systemId, timeline } = parsePosition(parsed.data.position);
    this.tombstones
      .write(`${systemId}.${timeline}`, changesOfMetrics(parsed.data))
      .catch((error: unknown) => this.logger.error({ err: error }, 'metrics invalidation in L2 failed'));
  }
}
