import { Periodic } from '@novacron/async/periodic';
import type { Change } from '@novacron/cache/change';
import { RedisUnavailable } from '@novacron/redis/connection';
import { Injectable } from '@nestjs/common';
import { SharedCache } from '../redis/shared-cache.js';

/** An entry of L2 lives 5 min and its tombstone 60 s: a change that waits for longer has no use. */
const PENDING_MS = 300_000;
/** The changes in the retry queue at most. Further ones are dropped and counted. */
const MAX_PENDING = 50_000;
const RETRY_MS = 250;
/** Changes in one flush, which take Redis some milliseconds. */
const BATCH_SIZE = 500;

interface PendingBatch {
  readonly lineage: string;
  readonly changes: readonly Change[];
  readonly since: number;
}

/**
 * Writes tombstones and list generations to L2. While Redis is away it keeps them in a retry queue. No reader is harmed
 * meanwhile: an entry without its tombstone has its old position, and never answers a reader that has observed a later
 * one. Only readers that ask for `eventual` get it.
 */
@Injectable()
export class TombstoneWriter {
  readonly #queue: PendingBatch[] = [];
  #pending = 0;
  readonly #retries = new Periodic(() => this.#flush(), { everyMs: RETRY_MS });
  #closed = false;
  tombstones = 0;
  dropped = 0;

  constructor(private readonly l2: SharedCache) {}

  /** Changes that wait for Redis. */
  get pending(): number {
    return this.#pending;
  }

  /** Resolves when L2 has the changes, or when they are in the retry queue. Does not reject when Redis is away. */
  async write(lineage: string, changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.l2.invalidate(lineage, changes);
      this.tombstones += changes.length;
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
      this.#enqueue({ lineage, changes, since: Date.now() });
    }
  }

  close(): void {
    this.#closed = true;
    void this.#retries.stop();
  }

  #enqueue(batch: PendingBatch): void {
    const kept = batch.changes.slice(0, Math.max(0, MAX_PENDING - this.#pending));
    this.dropped += batch.changes.length - kept.length;
    this.#pending += kept.length;
    for (let from = 0; from < kept.length; from += BATCH_SIZE) {
      this.#queue.push({ ...batch, changes: kept.slice(from, from + BATCH_SIZE) });
    }
    if (!this.#closed) this.#retries.start();
  }

  /** Writes one batch after the other, the oldest first, until Redis is away again: its breaker bounds the cost. */
  async #flush(): Promise<void> {
    for (let batch = this.#queue[0]; batch && !this.#closed; batch = this.#queue[0]) {
      const { lineage, changes, since } = batch;
      try {
        if (Date.now() - since < PENDING_MS) await this.l2.invalidate(lineage, changes);
      } catch {
        // The connection counts the failure, and the batch stays in the queue.
        return;
      }
      this.#queue.shift();
      this.#pending -= changes.length;
      this.tombstones += changes.length;
    }
    void this.#retries.stop();
  }
}
