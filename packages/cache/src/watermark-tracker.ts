/** The cache in the process, whose watermark a tracker moves. */
export interface WatermarkTarget {
  advance(position: bigint): void;
  drop(): void;
}

export interface Mark {
  readonly seq: number;
  readonly position: bigint;
}

export interface WatermarkTrackerOptions {
  readonly target: WatermarkTarget;
  /** A number that is missing for longer is considered lost, milliseconds. */
  readonly gapMs?: number;
  readonly clock?: () => number;
}

const GAP_MS = 1_000;

/**
 * Knows up to which number invalidations have been applied without a gap, and moves the watermark no further.
 *
 * Core NATS delivers at most once and several invalidators share the work. Numbers may therefore come late, twice, out
 * of order or never. The tracker keeps the prefix of numbers that have all been applied. A watermark counts once the
 * prefix has reached its number. A lasting gap, a reconnect and a start drop the cache and begin again at the next
 * watermark.
 *
 * Beginning takes two watermarks. The first says from which number on to count. Events up to that number are numbered
 * after its position was read, so they may have a position beyond it. The second watermark was read after them all, so
 * it is the first that may serve as a floor.
 */
export class WatermarkTracker {
  #prefix: number | null = null;
  #begun = false;
  readonly #ahead = new Set<number>();
  #marks: Mark[] = [];
  #gapSince: number | null = null;
  readonly #clock: () => number;
  readonly #gapMs: number;
  drops = 0;

  constructor(private readonly options: WatermarkTrackerOptions) {
    this.#clock = options.clock ?? (() => performance.now());
    this.#gapMs = options.gapMs ?? GAP_MS;
  }

  /** The highest number up to which everything has been applied; null before the first watermark. */
  get prefix(): number | null {
    return this.#prefix;
  }

  /** The invalidation with this number has been applied. */
  applied(seq: number): void {
    if (this.#prefix !== null && seq <= this.#prefix) return;
    this.#ahead.add(seq);
    // Before the first watermark the number is kept: it may be one of those that follow the watermark.
    if (this.#prefix !== null) this.#close();
  }

  mark(mark: Mark): void {
    if (this.#prefix === null) {
      this.#prefix = mark.seq;
      for (const seq of this.#ahead) if (seq <= mark.seq) this.#ahead.delete(seq);
      return;
    }
    this.#begun = true;
    const last = this.#marks.at(-1);
    // Of several marks with one number the latest has the highest position.
    if (last?.seq === mark.seq) this.#marks.pop();
    this.#marks.push(mark);
    this.#close();
  }

  /** To be called regularly: a gap that has lasted too long is a loss. */
  tick(): void {
    if (this.#gapSince !== null && this.#clock() - this.#gapSince > this.#gapMs) this.restart();
  }

  /** Messages may have been missed. */
  restart(): void {
    this.#prefix = null;
    this.#begun = false;
    this.#ahead.clear();
    this.#marks = [];
    this.#gapSince = null;
    this.drops += 1;
    this.options.target.drop();
  }

  #close(): void {
    let prefix = this.#prefix as number;
    while (this.#ahead.delete(prefix + 1)) prefix += 1;
    if (prefix !== this.#prefix) this.#gapSince = null;
    this.#prefix = prefix;

    let reached: Mark | undefined;
    while (this.#marks[0] && this.#marks[0].seq <= prefix) reached = this.#marks.shift();
    if (reached && this.#begun) this.options.target.advance(reached.position);

    const missing = this.#ahead.size > 0 || this.#marks.length > 0;
    if (!missing) this.#gapSince = null;
    else this.#gapSince ??= this.#clock();
  }
}
