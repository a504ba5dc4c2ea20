import type { RequestMeta } from '@novacron/contracts/envelope';
import { fetchOrchestratorEvents } from '@novacron/contracts/events';
import type { TenantId } from '@novacron/contracts/ids';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import type { Hole, Ledger } from './ledger.js';

const fetched = counter(
  'novacron_cache_ledger_fetched_total',
  'Events that the stream did not bring, fetched from their owner',
);

const FETCH_AT_MOST = 500;

/** Nobody's tenant: the service asks for itself. */
const SERVICE: RequestMeta = {
  tenantId: '00000000-0000-0000-0000-000000000000' as TenantId,
  principal: 'service:cache-invalidator',
  roles: [],
  remainingMs: 5_000,
  consistency: 'strong',
  minPosition: null,
};

/** Fetches what the stream did not bring from its owner, which has every event for seven days. */
export class HoleFiller {
  constructor(
    private readonly ledger: Ledger,
    private readonly rpc: RpcClient,
    private readonly logger: Logger,
  ) {}

  /** Fetches and records all missing numbers. @throws ServiceError when the owner does not answer */
  async fill(): Promise<void> {
    for (const hole of await this.ledger.holes()) {
      for (let from = hole.fromSeq; from <= hole.toSeq; from += FETCH_AT_MOST) {
        const part = { fromSeq: from, toSeq: Math.min(hole.toSeq, from + FETCH_AT_MOST - 1) };
        if (!(await this.fetch(part))) return;
      }
    }
  }

  /**
   * Fetches these numbers. Where the stream brought another event under one of them the owner's holds.
   * @returns whether the owner has them all; if not, what is missing has changed
   */
  async fetch(part: Hole): Promise<boolean> {
    const { body } = await this.rpc.request(fetchOrchestratorEvents, SERVICE, part);
    await this.ledger.record(body.events, 'fetch');
    fetched.add(body.events.length);
    this.logger.warn({ ...part, found: body.events.length }, 'events that did not come were fetched');
    const oldest = body.oldestSeq ?? body.lastSeq + 1;
    if (oldest > part.fromSeq && body.lastSeq >= part.fromSeq) {
      this.logger.error({ ...part, oldest }, 'events are older than their owner keeps them: passed over');
      await this.ledger.skipTo(oldest - 1);
      return false;
    }
    if (body.lastSeq < part.toSeq) {
      await this.ledger.limitTo(body.lastSeq);
      return false;
    }
    return true;
  }
}
