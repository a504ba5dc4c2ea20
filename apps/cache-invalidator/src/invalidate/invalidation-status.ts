import { Injectable } from '@nestjs/common';
import type { CacheServiceStats } from '@novacron/contracts/cache-stats';
import { SharedCache } from '../redis/shared-cache.js';
import { EventConsumer } from './event-consumer.js';
import { InvalidationPublisher } from './invalidation-publisher.js';
import { LedgerFollower } from './ledger-follower.js';
import { TombstoneWriter } from './tombstone-writer.js';

/** How far invalidation is, for metrics, readiness and statistics. */
@Injectable()
export class InvalidationStatus {
  constructor(
    private readonly publisher: InvalidationPublisher,
    private readonly tombstones: TombstoneWriter,
    private readonly consumer: EventConsumer,
    private readonly follower: LedgerFollower,
    private readonly l2: SharedCache,
  ) {}

  get l2Available(): boolean {
    return this.l2.available;
  }

  /** Age of the oldest known event that was not published: in this process, or missing in the ledger. Milliseconds. */
  get oldestPendingMs(): number {
    return Math.max(this.consumer.oldestPendingMs, this.follower.status?.oldestHoleAgeMs ?? 0);
  }

  /** Why events cannot be followed at the moment; undefined when they can. */
  get failure(): unknown {
    return this.follower.failure ?? this.consumer.failure;
  }

  /** Events between the ledger's contiguous number and the newest watermark; null before the first watermark. */
  lagBehind(contiguousSeq: number): number | null {
    const { mark } = this.follower;
    return mark === undefined ? null : Math.max(0, mark.seq - contiguousSeq);
  }

  counts(): CacheServiceStats['invalidations'] {
    return {
      events: this.publisher.events,
      tombstones: this.tombstones.tombstones,
      removed: this.l2.invalidations,
      owed: this.tombstones.pending,
      forgotten: this.tombstones.dropped,
      oldestPendingMs: Math.round(this.oldestPendingMs),
    };
  }
}
