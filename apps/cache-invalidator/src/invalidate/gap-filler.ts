import { type DomainEvent, fetchOrchestratorEvents } from '@novacron/contracts/events';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import { SERVICE } from '../messages/request-meta.js';
import type { Hole, Ledger } from '../ledger/ledger.js';

const fetched = counter(
  'novacron_cache_ledger_fetched_total',
  'Events that the stream did not bring, fetched from their owner',
  [{}],
);

const FETCH_AT_MOST = 500;

export interface HoleFillerOptions {
  readonly ledger: Ledger;
  readonly rpc: RpcClient;
  /** Told of what was fetched before it is recorded: no cache has heard of it. */
  readonly tell: (events: readonly DomainEvent[]) => Promise<void>;
  readonly logger: Logger;
}

/** Fetches what the stream did not bring from its owner, which has every event for seven days. */
export class HoleFiller {
  constructor(private readonly options: HoleFillerOptions) {}

  /** Fetches and records all missing numbers. @throws ServiceError when the owner does not answer */
  async fill(): Promise<void> {
    for (const hole of await this.options.ledger.holes()) {
      for (let from = hole.fromSeq; from <= hole.toSeq; from += FETCH_AT_MOST) {
        const part = { fromSeq: from, toSeq: Math.min(hole.toSeq, from + FETCH_AT_MOST - 1) };
        if (!(await this.fetch(part))) return;
      }
    }
  }

  /**
   * Fetches these numbers, in as many answers as the owner gives them. Where the stream brought another event under
   * one of them the owner's holds.
   * @returns whether the owner has them all; if not, what is missing has changed
   */
  async fetch(part: Hole): Promise<boolean> {
    for (let { fromSeq } = part; ;) {
      const { isWhole, last } = await this.#fetch({ ...part, fromSeq });
      if (!isWhole) return false;
      if (last === undefined || last >= part.toSeq) return true;
      fromSeq = last + 1;
    }
  }

  /** One answer of the owner: the first events of these, `last` the number of the last one. */
  async #fetch(part: Hole): Promise<{ isWhole: boolean; last: number | undefined }> {
    const { ledger, rpc, tell, logger } = this.options;
    const { body } = await rpc.request(fetchOrchestratorEvents, SERVICE, part);
    await tell(body.events);
    await ledger.record(body.events, 'fetch');
    fetched.add(body.events.length);
    logger.warn({ ...part, found: body.events.length }, 'events that did not come were fetched');
    const oldest = body.oldestSeq ?? body.lastSeq + 1;
    if (oldest > part.fromSeq && body.lastSeq >= part.fromSeq) {
      logger.error({ ...part, oldest }, 'events are older than their owner keeps them: passed over');
      await ledger.skipTo(oldest - 1);
      return { isWhole: false, last: undefined };
    }
    if (body.lastSeq < part.toSeq) {
      await ledger.limitTo(body.lastSeq);
      return { isWhole: false, last: undefined };
    }
    return { isWhole: true, last: body.events.at(-1)?.seq };
  }
}
