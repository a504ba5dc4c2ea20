/** An encoded batch, ready to be published. */
export interface PendingBatch {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly points: number;
  /** The same batch published twice is stored once. */
  readonly messageId: string;
}

/**
 * Batches that JetStream has not stored yet, oldest first, at most `maxBytes`. When it is full, the oldest are dropped,
 * since recent metrics are worth more.
 */
export class MetricBuffer {
  readonly #batches: PendingBatch[] = [];
  #bytes = 0;

  constructor(
    private readonly maxBytes: number,
    private readonly onDropped: (points: number) => void,
  ) {}

  get length(): number {
    return this.#batches.length;
  }

  push(batch: PendingBatch): void {
    this.#batches.push(batch);
    this.#bytes += batch.bytes.length;
    while (this.#bytes > this.maxBytes && this.#batches.length > 1) {
      this.onDropped(this.#shift()?.points ?? 0);
    }
  }

  /** Removes and returns the oldest `count`. */
  take(count: number): PendingBatch[] {
    return Array.from({ length: Math.min(count, this.#batches.length) }, () => this.#shift() as PendingBatch);
  }

  /** Puts back unpublished batches in front of all others. */
  putBack(batches: readonly PendingBatch[]): void {
    this.#batches.unshift(...batches);
    for (const batch of batches) this.#bytes += batch.bytes.length;
  }

  #shift(): PendingBatch | undefined {
    const batch = this.#batches.shift();
    this.#bytes -= batch?.bytes.length ?? 0;
    return batch;
  }
}
