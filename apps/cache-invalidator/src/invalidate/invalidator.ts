import type { NatsConnection } from '@nats-io/transport-node';
import type { DomainEvent } from '@novacron/contracts/events';
import { parsePosition } from '@novacron/contracts/position';
import { SharedConsumer, type SharedMessage } from '@novacron/messaging/shared-consumer';
import { EVENTS } from '@novacron/messaging/streams';
import { isPartOf, type History } from '@novacron/postgres/history';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import type { HoleFiller } from './gap-filler.js';
import type { Ledger } from '../ledger/ledger.js';
import { headOf, parseEvent } from '../messages/event-header.js';
import { observeLatency } from './invalidate-metrics.js';
import { Recorder } from './ledger-writer.js';
import type { Teller } from './invalidation-publisher.js';

export interface InvalidatorOptions {
  readonly nc: NatsConnection;
  readonly teller: Teller;
  readonly ledger: Ledger;
  readonly filler: HoleFiller;
  /** Of the database, when it is known. */
  readonly history: () => Promise<History | undefined>;
  readonly logger: Logger;
}

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
 * Takes its share of the events: tells the caches at once, records afterwards, acknowledges last. Ended anywhere
 * between, the event comes again to another process, or is fetched as a hole; each part is safe to repeat.
 */
export class Invalidator {
  readonly #consumer: SharedConsumer;
  readonly #recorder: Recorder;

  constructor(private readonly options: InvalidatorOptions) {
    const { nc, logger } = options;
    this.#recorder = new Recorder({ record: (events) => this.#record(events), logger });
    this.#consumer = new SharedConsumer({
      nc,
      stream: EVENTS,
      durable: 'cache-invalidation',
      handle: (batch) => this.#handle(batch),
      settle: () => this.#recorder.settle(),
      logger,
    });
  }

  /** Why what was told cannot be recorded; undefined when it can. */
  get failure(): unknown {
    return this.#recorder.failure;
  }

  get healthy(): boolean {
    return this.#consumer.healthy;
  }

  /** Age of the oldest event that is here and not told, milliseconds. */
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
    const history = await this.options.history();
    const events: DomainEvent[] = [];
    const good: SharedMessage[] = [];
    for (const message of batch) {
      const event = parseEvent(message.data);
      if (event instanceof Error) this.#putAside(message, event);
      else if (history && !isPartOf(parsePosition(event.position), history)) this.#passOver(message, event);
      else {
        events.push(event);
        good.push(message);
      }
    }
    const { marked } = await this.options.teller.tell(events.map(headOf));
    events.forEach((event, i) => observeLatency(event, good[i] as SharedMessage));
    this.#recorder.add({ events, marked, done: () => good.forEach((message) => message.ack()) });
  }

  #putAside(message: SharedMessage, reason: Error): void {
    malformed.add();
    this.options.logger.error(
      { err: reason, subject: message.subject },
      'a message of the event stream is no event',
    );
    message.ack();
  }

  /** Its number may be another event's now, and its VM may have gone another way. */
  #passOver(message: SharedMessage, { seq, position }: DomainEvent): void {
    lost.add();
    this.options.logger.warn({ seq, position }, 'an event of a lost history was passed over');
    message.ack();
  }

  async #record(events: readonly DomainEvent[]): Promise<void> {
    const { ledger, filler, logger } = this.options;
    const disputed = await ledger.record(events, 'stream');
    for (const { kind } of events) received.add(1, { kind });
    for (const seq of disputed) {
      logger.error({ seq }, 'two events have one number: the owner decides');
      await filler.fetch({ fromSeq: seq, toSeq: seq });
    }
  }
}
