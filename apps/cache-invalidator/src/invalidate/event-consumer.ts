import { Injectable } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import type { DomainEvent } from '@novacron/contracts/events';
import { parsePosition } from '@novacron/contracts/position';
import { SharedConsumer, type SharedMessage } from '@novacron/messaging/shared-consumer';
import { EVENTS } from '@novacron/messaging/streams';
import { isPartOf } from '@novacron/postgres/lineage';
import { Nats, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import { Ledger } from '../ledger/ledger.js';
import { eventHeaderOf, parseEvent } from '../messages/event-header.js';
import { GapFiller } from './gap-filler.js';
import { observeLatency } from './invalidate-metrics.js';
import { InvalidationPublisher } from './invalidation-publisher.js';
import { LedgerWriter } from './ledger-writer.js';

const received = counter(
  'novacron_cache_events_total',
  'Events that the stream brought, by kind; repeated ones count again',
);
const malformed = counter(
  'novacron_cache_malformed_events_total',
  'Messages of the event stream that are no events',
  [{}],
);
const lost = counter(
  'novacron_cache_lost_events_total',
  'Events of a history that was lost by a promotion or left by a restore: passed over',
  [{}],
);

/**
 * Consumes this process' share of the events: publishes their invalidations at once, records them afterwards, and
 * acknowledges them last. When the process dies in between, another process receives the event again, or fetches it as
 * a gap. Each part is safe to repeat.
 */
@Injectable()
export class EventConsumer {
  readonly #consumer: SharedConsumer;
  readonly #writer: LedgerWriter;

  constructor(
    @Nats() nc: NatsConnection,
    private readonly publisher: InvalidationPublisher,
    private readonly ledger: Ledger,
    private readonly filler: GapFiller,
    @ServiceLogger() private readonly logger: Logger,
  ) {
    this.#writer = new LedgerWriter({ record: (events) => this.#record(events), logger });
    this.#consumer = new SharedConsumer({
      nc,
      stream: EVENTS,
      durable: 'cache-invalidation',
      handle: (batch) => this.#handle(batch),
      settle: () => this.#writer.settle(),
      logger,
    });
  }

  /** Why published events cannot be recorded; undefined when they can. */
  get failure(): unknown {
    return this.#writer.failure;
  }

  /** Age of the oldest event that this process has and has not published, milliseconds. */
  get oldestPendingMs(): number {
    const oldest = this.#consumer.oldest;
    return oldest === undefined ? 0 : Math.max(0, Date.now() - oldest.getTime());
  }

  start(): void {
    this.#consumer.start();
  }

  stop(): Promise<void> {
    return this.#consumer.stop();
  }

  async #handle(batch: readonly SharedMessage[]): Promise<void> {
    const lineage = await this.ledger.databaseLineage();
    const events: DomainEvent[] = [];
    const good: SharedMessage[] = [];
    for (const message of batch) {
      const event = parseEvent(message.data);
      if (event instanceof Error) this.#discard(message, event);
      else if (lineage && !isPartOf(parsePosition(event.position), lineage)) this.#skip(message, event);
      else {
        events.push(event);
        good.push(message);
      }
    }
    const { persisted } = await this.publisher.publish(events.map(eventHeaderOf));
    events.forEach((event, i) => observeLatency(event, good[i] as SharedMessage));
    this.#writer.add({ events, persisted, done: () => good.forEach((message) => message.ack()) });
  }

  #discard(message: SharedMessage, reason: Error): void {
    malformed.add();
    this.logger.error({ err: reason, subject: message.subject }, 'malformed event discarded');
    message.ack();
  }

  /** Its number may be another event's now, and its VM may have taken another course. */
  #skip(message: SharedMessage, { seq, position }: DomainEvent): void {
    lost.add();
    this.logger.warn({ seq, position }, 'event of a lost timeline skipped');
    message.ack();
  }

  async #record(events: readonly DomainEvent[]): Promise<void> {
    const disputed = await this.ledger.record(events, 'stream');
    for (const { kind } of events) received.add(1, { kind });
    for (const seq of disputed) {
      this.logger.error({ seq }, 'two events have one number; fetching it from the orchestrator');
      await this.filler.fetch({ fromSeq: seq, toSeq: seq });
    }
  }
}
