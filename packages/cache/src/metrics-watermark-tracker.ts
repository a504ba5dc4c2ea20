import type { MetricsInvalidation } from '@novacron/contracts/invalidation';
import { METRIC_PARTITIONS } from '@novacron/contracts/metrics';
import { parsePosition } from '@novacron/contracts/position';

/** What it moves: the watermark of metrics in the cache of the process. */
export interface MetricsFollowed {
  advance(position: bigint): void;
  /** Messages may have been missed. */
  distrust(): void;
}

export type Told = Pick<MetricsInvalidation, 'source' | 'n' | 'complete'>;

interface Owner {
  readonly source: string;
  readonly upTo: bigint;
}

/**
 * Knows up to where new points have been told without a gap: up to there where the partition that is the furthest
 * behind is complete, as the partitions have owners that come and go. A missing number and a partition with another
 * owner (the one before may have died with a commit that it had not told) begin anew: nothing that was read before
 * is vouched for, and the first watermark is the one at which every partition is complete beyond what may be missing.
 */
export class MetricsFollower {
  readonly #sources = new Map<string, number>();
  readonly #owners = new Map<number, Owner>();
  /** Beyond the highest `upTo` with which the partitions began: what was missed was at or before that. */
  #begin: bigint | null = null;

  constructor(
    private readonly target: MetricsFollowed,
    private readonly partitions = METRIC_PARTITIONS,
  ) {}

  /** One message, after its changes have been applied. */
  hear({ source, n, complete }: Told): void {
    const last = this.#sources.get(source);
    if (last !== undefined && n !== last + 1) this.restart();
    this.#sources.set(source, n);
    if (complete === null) return;
    const taken = (partition: number) => (this.#owners.get(partition)?.source ?? source) !== source;
    if (complete.partitions.some(taken)) {
      this.restart();
      this.#sources.set(source, n);
    }
    const upTo = parsePosition(complete.upTo).lsn;
    for (const partition of complete.partitions) this.#owners.set(partition, { source, upTo });
    this.#advance();
  }

  restart(): void {
    this.#sources.clear();
    this.#owners.clear();
    this.#begin = null;
    this.target.distrust();
  }

  #advance(): void {
    if (this.#owners.size < this.partitions) return;
    const positions = [...this.#owners.values()].map(({ upTo }) => upTo);
    this.#begin ??= positions.reduce((a, b) => (a > b ? a : b)) + 1n;
    const least = positions.reduce((a, b) => (a < b ? a : b));
    if (least >= this.#begin) this.target.advance(least);
  }
}
