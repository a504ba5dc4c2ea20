/** What a follower moves: the cache in the process. */
export interface Followed {
  advance(position: bigint): void;
  drop(): void;
}

export interface Mark {
  readonly seq: number;
  readonly position: bigint;
}

export interface FollowerOptions {
  readonly target: Followed;
  /** A number that is missing for longer is taken for lost, milliseconds. */
  readonly holeMs?: number;
  readonly clock?: () => number;
}

const HOLE_MS = 1_000;

/**
 * Knows up to where invalidations have been applied without a gap, and moves the watermark no further.
 *
 * Core NATS delivers at most once and several invalidators share the work, so numbers may come late, twice, out
 * of order or never. The prefix of numbers that are all here is kept; a watermark counts once the prefix has
 * reached its number. A hole that stays, a reconnect and a start drop the cache and begin again at the next
 * watermark.
 *
 * Beginning takes two watermarks. The first says from which number on to count. Events up to that number may have
 * a position beyond it, as they are numbered after its position was read; the second was read after them all, so
 * it is the first that may serve as a floor.
 */
export class Follower {
  #prefix: number | null = null;
  #begun = false;
  readonly #ahead = new Set<number>();
  #marks: Mark[] = [];
  #holeSince: number | null = null;
  readonly #clock: () => number;
  readonly #holeMs: number;
  drops = 0;

  constructor(private readonly options: FollowerOptions) {
    this.#clock = options.clock ?? (() => performance.now());
    this.#holeMs = options.holeMs ?? HOLE_MS;
  }

  /** The highest number up to which everything has been applied; null before the first watermark. */
  get prefix(): number | null {
    return this.#prefix;
  }

  /** The invalidation with this number has been applied. */
  applied(seq: number): void {
    if (this.#prefix !== null && seq <= this.#prefix) return;
    this.#ahead.add(seq);
    // Before the first watermark it is kept: it may well be one of those that follow it.
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
    // Of marks with one number the latest says most.
    if (last?.seq === mark.seq) this.#marks.pop();
    this.#marks.push(mark);
    this.#close();
  }

  /** Call it every now and then: a hole that has stayed too long is a loss. */
  tick(): void {
    if (this.#holeSince !== null && this.#clock() - this.#holeSince > this.#holeMs) this.restart();
  }

  /** Messages may have been missed. */
  restart(): void {
    this.#prefix = null;
    this.#begun = false;
    this.#ahead.clear();
    this.#marks = [];
    this.#holeSince = null;
    this.drops += 1;
    this.options.target.drop();
  }

  #close(): void {
    let prefix = this.#prefix as number;
    while (this.#ahead.delete(prefix + 1)) prefix += 1;
    if (prefix !== this.#prefix) this.#holeSince = null;
    this.#prefix = prefix;

    let reached: Mark | undefined;
    while (this.#marks[0] && this.#marks[0].seq <= prefix) reached = this.#marks.shift();
    if (reached && this.#begun) this.options.target.advance(reached.position);

    const missing = this.#ahead.size > 0 || this.#marks.length > 0;
    if (!missing) this.#holeSince = null;
    else this.#holeSince ??= this.#clock();
  }
}
