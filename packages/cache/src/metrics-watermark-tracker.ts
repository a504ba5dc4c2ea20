import type { MetricsInvalidation } from '@novacron/contracts/invalidation';
import { METRIC_PARTITIONS } from '@novacron/contracts/metrics';
import { parsePosition } from '@novacron/contracts/position';

/** The cache in the process, whose watermark of metrics a tracker moves. */
export interface MetricsWatermarkTarget {
  advance(position: bigint): void;
  /** Messages may have been missed. */
  distrust(): void;
}

export type MetricsProgress = Pick<MetricsInvalidation, 'source' | 'n' | 'complete'>;

interface Owner {
  readonly source: string;
  readonly upTo: bigint;
}

/**
 * Knows up to which position new points have been announced without a gap: the position of the partition that is the
 * furthest behind. Partitions have owners that come and go. A missing number, or a partition with another owner, begins
 * anew: the owner before may have died with a commit that it had not announced. Then the watermark vouches for nothing
 * that was read before. The first new watermark is the one at which every partition is beyond what may be missing.
 */
export class MetricsWatermarkTracker {
  readonly #sources = new Map<string, number>();
  readonly #owners = new Map<number, Owner>();
  /** Beyond the highest `upTo` with which the partitions began: a missed commit is at or before that. */
  #begin: bigint | null = null;

  constructor(
    private readonly target: MetricsWatermarkTarget,
    private readonly partitions = METRIC_PARTITIONS,
  ) {}

  /** Takes one message, after its changes have been applied. */
  receive({ source, n, complete }: MetricsProgress): void {
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
