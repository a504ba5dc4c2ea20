import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { changesOfMetrics } from '@novacron/cache/rules';
import { invalidationSubjects, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';
import type { Logger } from '@novacron/telemetry/logger';
import { parseJson } from '../messages/event-header.js';
import type { SharedLevel } from './tombstone-writer.js';

/** One of all instances takes each message. */
const QUEUE = 'cache';

/** Moves the generations of metrics in L2 with the intake. Every L1 hears of it by itself. */
export class MetricsListener {
  #subscription: Subscription | undefined;

  constructor(
    private readonly nc: Pick<NatsConnection, 'subscribe'>,
    private readonly shared: SharedLevel,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.#subscription ??= this.nc.subscribe(invalidationSubjects.metrics, {
      queue: QUEUE,
      callback: (error, message) => {
        if (error) this.logger.error({ err: error }, 'new points cannot be heard of');
        else this.#heard(message.data);
      },
    });
  }

  stop(): void {
    this.#subscription?.unsubscribe();
  }

  #heard(data: Uint8Array): void {
    const parsed = MetricsInvalidation.safeParse(parseJson(data));
    if (!parsed.success) {
      this.logger.error({ err: parsed.error }, 'a message about new points is none');
      return;
    }
    // Only says how far it is: of interest to who keeps a watermark.
    if (parsed.data.vmIds.length === 0) return;
    const { systemId, timeline } = parsePosition(parsed.data.position);
    this.shared
      .invalidate(`${systemId}.${timeline}`, changesOfMetrics(parsed.data))
      .catch((error: unknown) => this.logger.error({ err: error }, 'the shared cache keeps old metrics'));
  }
}
