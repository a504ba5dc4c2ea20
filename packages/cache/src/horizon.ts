interface Mark {
  readonly at: number;
  readonly position: bigint;
}

/** Marks closer together than this are one. The floor is late by as much, which only admits fewer entries. */
const GRAIN_MS = 500;

/**
 * The watermark and the floor behind it. The floor is the watermark of `keepMs` ago, or the first one after a reset
 * that is younger. An entry that was read before the floor may have been invalidated by a forgotten tombstone.
 */
export class Horizon {
  /** Oldest first; the first is the floor. */
  readonly #marks: Mark[] = [];
  #watermark: bigint | null = null;

  constructor(private readonly keepMs: number) {}

  get watermark(): bigint | null {
    return this.#watermark;
  }

  get floor(): bigint | null {
    return this.#marks[0]?.position ?? null;
  }

  /** @returns whether the floor has moved */
  advance(position: bigint, now: number): boolean {
    if (this.#watermark !== null && position < this.#watermark) return false;
    this.#watermark = position;
    const last = this.#marks.at(-1);
    if (!last || now - last.at >= GRAIN_MS) this.#marks.push({ at: now, position });
    // The floor is the youngest mark that is old enough.
    const before = this.#marks.length;
    while (this.#marks[1] && now - this.#marks[1].at >= this.keepMs) this.#marks.shift();
    return this.#marks.length < before;
  }

  reset(): void {
    this.#marks.length = 0;
    this.#watermark = null;
  }
}
