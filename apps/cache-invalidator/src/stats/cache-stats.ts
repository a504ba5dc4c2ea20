import { Injectable } from '@nestjs/common';
import type { CacheServiceStats } from '@novacron/contracts/cache-stats';
import { Checker } from '../check/checker.js';
import { InvalidationStatus } from '../invalidate/invalidation-status.js';
import { Ledger } from '../ledger/ledger.js';
import { SharedCache, SharedCacheInspector } from '../redis/shared-cache.js';
import { Warmer } from '../warm/warmer.js';

/** The statistics of this instance, and of the ledger that all instances share. */
@Injectable()
export class CacheStats {
  constructor(
    private readonly l2: SharedCache,
    private readonly inspector: SharedCacheInspector,
    private readonly ledger: Ledger,
    private readonly invalidation: InvalidationStatus,
    private readonly warmer: Warmer,
    private readonly checker: Checker,
  ) {}

  async read(): Promise<CacheServiceStats> {
    const { l2, invalidation } = this;
    // A Redis that is away has no size; the other statistics are still useful.
    const size = await this.inspector.size().catch(() => ({ keys: null, bytes: null }));
    const ledger = await this.ledger.status();
    return {
      l2: { available: l2.available, failures: l2.failures, ...size },
      invalidations: invalidation.counts(),
      lagEvents: invalidation.lagBehind(ledger.contiguousSeq),
      ledger,
      warm: this.warmer.status,
      check: this.checker.status,
    };
  }
}
