import type { Coherence } from './coherence.js';
import type { L1 } from './l1.js';
import type { L2 } from './l2.js';

export interface CacheStats {
  /** Answers by level, and answers that the owning service gave. */
  readonly hits: { readonly l1: number; readonly l2: number };
  readonly misses: number;
  /** Readers that shared the load of another one. */
  readonly flightsJoined: number;
  readonly refreshes: number;
  readonly failedRefreshes: number;
  /** Old states that answered `eventual` readers while the owner was down. */
  readonly staleWhileDown: number;
  readonly l1: {
    readonly entries: number;
    readonly bytes: number;
    readonly evictions: number;
    readonly invalidations: number;
    /** How often the L1 dropped everything: a gap, a reconnect, another lineage. */
    readonly drops: number;
  };
  readonly l2: {
    readonly available: boolean;
    readonly failures: number;
    /** Fills that were refused because a newer state was known. */
    readonly refused: number;
  } | null;
  /** Events received from the invalidators. */
  readonly invalidations: number;
  /** Milliseconds since the watermark last moved: how old an answer to a reader without a token may be. */
  readonly lagMs: number | null;
}

/** Counts what a cache has done. */
export class Counters {
  l1 = 0;
  refreshes = 0;
  failedRefreshes = 0;
  #l2 = 0;
  #misses = 0;
  #stale = 0;

  served(from: 'l1' | 'l2' | 'replica' | 'primary'): void {
    if (from === 'l2') this.#l2 += 1;
    else if (from !== 'l1') this.#misses += 1;
  }

  stale<T>(answer: T): T {
    this.#stale += 1;
    return answer;
  }

  snapshot(l1: L1, l2: L2 | null, coherence: Coherence, flightsJoined: number): CacheStats {
    const { size: entries, bytes, evictions, invalidations } = l1;
    return {
      hits: { l1: this.l1, l2: this.#l2 },
      misses: this.#misses,
      flightsJoined,
      refreshes: this.refreshes,
      failedRefreshes: this.failedRefreshes,
      staleWhileDown: this.#stale,
      l1: { entries, bytes, evictions, invalidations, drops: coherence.drops },
      l2: l2 && { available: l2.available, failures: l2.failures, refused: l2.refused },
      invalidations: coherence.invalidations,
      lagMs: coherence.lagMs,
    };
  }
}
