import { Injectable } from '@nestjs/common';
import { pause } from '@novacron/async/sleep';
import type { Inspected } from '@novacron/cache/l2-inspector';
import type { CheckStatus, StaleFinding } from '@novacron/contracts/cache-stats';
import { RedisUnavailable } from '@novacron/redis/connection';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import type { CacheConfig } from '../config.js';
import { LedgerFollower } from '../invalidate/ledger-follower.js';
import { SharedCacheInspector } from '../redis/shared-cache.js';
import { LaterEvents } from './later-events.js';
import { OwnerStates } from './owner-states.js';
import { stalenessOf } from './staleness.js';

const stale = counter(
  'novacron_cache_stale_reads_total',
  'Cached answers that a causal reader would get and that are wrong. Must stay 0',
  [{ level: 'l2' }],
);
const samples = counter('novacron_cache_checks_total', 'Cached answers that were held against the truth', [
  {},
]);
const unjudged = counter('novacron_cache_checks_unjudged_total', 'Checks whose truth could not be learned', [
  {},
]);

/** Keys in one page of samples. */
const PAGE = 20;
/** The pause after an empty page, or while Redis is away. */
const IDLE_MS = 250;

/** Samples the shared cache continuously, around its whole keyspace, and counts wrong answers. */
@Injectable()
export class Checker {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #status: CheckStatus = { samples: 0, stale: 0, unjudged: 0, lastStale: null };

  constructor(
    private readonly inspector: SharedCacheInspector,
    private readonly later: LaterEvents,
    private readonly owners: OwnerStates,
    private readonly follower: LedgerFollower,
    @ServiceConfig() private readonly config: CacheConfig,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  get status(): CheckStatus {
    return this.#status;
  }

  start(): void {
    if (this.config.check.samplesPerSecond > 0) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const pauseMs = 1_000 / this.config.check.samplesPerSecond;
    while (!this.#stop.signal.aborted) {
      const { lineage } = this.follower;
      const page = lineage === undefined ? [] : await this.#page(lineage);
      if (page.length === 0) await this.#pause(IDLE_MS);
      for (const sample of page) {
        if (this.#stop.signal.aborted) return;
        await this.#check(sample, lineage as string);
        await this.#pause(pauseMs);
      }
    }
  }

  async #page(lineage: string): Promise<Inspected[]> {
    try {
      return await this.inspector.sample(lineage, PAGE);
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) this.logger.error({ err: error }, 'cache sampling failed');
      return [];
    }
  }

  async #check(sample: Inspected, lineage: string): Promise<void> {
    const { later, owners } = this;
    try {
      const reason = await stalenessOf(sample, lineage, { later, owners });
      samples.add();
      this.#status = { ...this.#status, samples: this.#status.samples + 1 };
      if (reason !== undefined) this.#found(sample, lineage, reason);
    } catch (error) {
      unjudged.add();
      this.#status = { ...this.#status, unjudged: this.#status.unjudged + 1 };
      this.logger.debug({ err: error }, 'cache check failed');
    }
  }

  #found({ tenantId, type, id, entry }: Inspected, lineage: string, reason: string): void {
    const at = new Date().toISOString();
    const finding: StaleFinding = {
      at,
      tenantId,
      type,
      id,
      position: `${lineage}.${entry.position}`,
      reason,
    };
    stale.add(1, { level: 'l2' });
    this.#status = { ...this.#status, stale: this.#status.stale + 1, lastStale: finding };
    this.logger.error({ finding, version: entry.version }, 'cached answer is stale');
  }

  #pause(ms: number): Promise<void> {
    return pause(ms, { signal: this.#stop.signal, ref: false });
  }
}
