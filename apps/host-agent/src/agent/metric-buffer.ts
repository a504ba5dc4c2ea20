/** An encoded batch, ready to be published. */
export interface PendingBatch {
  readonly subject: string;
  readonly bytes: Uint8Array;
  readonly points: number;
  /** The same batch published twice is stored once. */
  readonly messageId: string;
}

/**
 * Batches that JetStream has not taken yet, oldest first. Holds at most `maxBytes`: when full, the oldest go, since
 * a fleet's present is worth more than its past.
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

  /** Takes out the oldest `count`. */
  take(count: number): PendingBatch[] {
    return Array.from({ length: Math.min(count, this.#batches.length) }, () => this.#shift() as PendingBatch);
  }

  /** Puts back what could not be published; it stays the oldest. */
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
