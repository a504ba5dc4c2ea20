import type { Inspected, L2Inspector } from '@novacron/cache/l2-inspector';
import { RedisUnavailable } from '@novacron/redis/connection';
import type { CheckStatus, StaleFinding } from '@novacron/contracts/cache-stats';
import type { Logger } from '@novacron/telemetry/logger';
import { counter } from '@novacron/telemetry/metrics';
import { setTimeout as sleep } from 'node:timers/promises';
import { judge, type Sources } from './judge.js';

export interface CheckerOptions {
  readonly inspector: Pick<L2Inspector, 'sample'>;
  readonly sources: Sources;
  /** The history that caches are of at the moment; undefined before it is known. */
  readonly history: () => string | undefined;
  /** 0: never. */
  readonly samplesPerSecond: number;
  readonly logger: Logger;
}

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

/** Keys of one look into Redis. */
const PAGE = 20;
/** After a look that found nothing, or Redis away. */
const IDLE_MS = 250;

/** Samples the shared cache all the time, around its whole keyspace, and counts what is wrong. */
export class Checker {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #status: CheckStatus = { samples: 0, stale: 0, unjudged: 0, lastStale: null };

  constructor(private readonly options: CheckerOptions) {}

  get status(): CheckStatus {
    return this.#status;
  }

  start(): void {
    if (this.options.samplesPerSecond > 0) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const pauseMs = 1_000 / this.options.samplesPerSecond;
    while (!this.#stop.signal.aborted) {
      const history = this.options.history();
      const page = history === undefined ? [] : await this.#page(history);
      if (page.length === 0) await this.#pause(IDLE_MS);
      for (const sample of page) {
        if (this.#stop.signal.aborted) return;
        await this.#check(sample, history as string);
        await this.#pause(pauseMs);
      }
    }
  }

  async #page(history: string): Promise<Inspected[]> {
    try {
      return await this.options.inspector.sample(history, PAGE);
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) this.options.logger.error({ err: error }, 'no samples');
      return [];
    }
  }

  async #check(sample: Inspected, history: string): Promise<void> {
    try {
      const reason = await judge(sample, history, this.options.sources);
      samples.add();
      this.#status = { ...this.#status, samples: this.#status.samples + 1 };
      if (reason !== undefined) this.#found(sample, history, reason);
    } catch (error) {
      unjudged.add();
      this.#status = { ...this.#status, unjudged: this.#status.unjudged + 1 };
      this.options.logger.debug({ err: error }, 'a cached answer could not be checked');
    }
  }

  #found({ tenantId, type, id, entry }: Inspected, history: string, reason: string): void {
    const at = new Date().toISOString();
    const finding: StaleFinding = {
      at,
      tenantId,
      type,
      id,
      position: `${history}.${entry.position}`,
      reason,
    };
    stale.add(1, { level: 'l2' });
    this.#status = { ...this.#status, stale: this.#status.stale + 1, lastStale: finding };
    this.options.logger.error({ finding, version: entry.version }, 'a cached answer is wrong');
  }

  async #pause(ms: number): Promise<void> {
    // An early end of the pause is the stop.
    await sleep(ms, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}
