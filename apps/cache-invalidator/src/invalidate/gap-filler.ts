import { Injectable } from '@nestjs/common';
import { fetchOrchestratorEvents } from '@novacron/contracts/events';
import { RpcClient } from '@novacron/messaging/rpc-client';
import { ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import { Ledger, type Gap } from '../ledger/ledger.js';
import { eventHeaderOf } from '../messages/event-header.js';
import { SERVICE } from '../messages/request-meta.js';
import { InvalidationPublisher } from './invalidation-publisher.js';

const fetched = counter(
  'novacron_cache_ledger_fetched_total',
  'Events that the stream did not bring, fetched from their owner',
  [{}],
);

const MAX_EVENTS = 500;

/** Fetches the events that the stream did not deliver from the orchestrator, which keeps every event for seven days. */
@Injectable()
export class GapFiller {
  constructor(
    private readonly ledger: Ledger,
    private readonly rpc: RpcClient,
    private readonly publisher: InvalidationPublisher,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  /** Fetches, publishes and records all missing events. @throws ServiceError when the orchestrator does not answer */
  async fill(): Promise<void> {
    for (const gap of await this.ledger.gaps()) {
      for (let from = gap.fromSeq; from <= gap.toSeq; from += MAX_EVENTS) {
        const part = { fromSeq: from, toSeq: Math.min(gap.toSeq, from + MAX_EVENTS - 1) };
        if (!(await this.fetch(part))) return;
      }
    }
  }

  /**
   * Fetches these events, in as many answers as the orchestrator gives them. Where the stream delivered another event
   * under one of the numbers, the orchestrator's event replaces it.
   * @returns whether the orchestrator has them all; if not, the gaps have changed
   */
  async fetch(part: Gap): Promise<boolean> {
    for (let { fromSeq } = part; ;) {
      const { isWhole, last } = await this.#fetch({ ...part, fromSeq });
      if (!isWhole) return false;
      if (last === undefined || last >= part.toSeq) return true;
      fromSeq = last + 1;
    }
  }

  /** One answer: the first events of the part, and the number of the last one. */
  async #fetch(part: Gap): Promise<{ isWhole: boolean; last: number | undefined }> {
    const { body } = await this.rpc.request(fetchOrchestratorEvents, SERVICE, part);
    // Published before it is recorded: no cache has received these events.
    const { persisted } = await this.publisher.publish(body.events.map(eventHeaderOf));
    await persisted;
    await this.ledger.record(body.events, 'fetch');
    fetched.add(body.events.length);
    this.logger.warn({ ...part, found: body.events.length }, 'missing events fetched');
    const oldest = body.oldestSeq ?? body.lastSeq + 1;
    if (oldest > part.fromSeq && body.lastSeq >= part.fromSeq) {
      this.logger.error({ ...part, oldest }, 'missing events skipped: the orchestrator no longer has them');
      await this.ledger.skipTo(oldest - 1);
      return { isWhole: false, last: undefined };
    }
    if (body.lastSeq < part.toSeq) {
      await this.ledger.limitTo(body.lastSeq);
      return { isWhole: false, last: undefined };
    }
    return { isWhole: true, last: body.events.at(-1)?.seq };
  }
}
