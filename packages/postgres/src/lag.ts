const KEPT = 600;

/** The WAL positions of the primary over time, as this process observed them. A replica's lag is measured against them. */
export class PrimaryProgress {
  readonly #samples: { readonly at: number; readonly lsn: bigint }[] = [];

  /** Records the primary's flush position at `at` (milliseconds of a monotonic clock). */
  add(lsn: bigint, at: number): void {
    const last = this.#samples.at(-1);
    // A lower position is of another timeline: the old samples measure nothing any more.
    if (last && lsn < last.lsn) this.#samples.length = 0;
    if (last?.lsn === lsn) return;
    this.#samples.push({ at, lsn });
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  /** For how long, at least, the primary has had WAL beyond `replayed`; 0: none is known. */
  lagMs(replayed: bigint, now: number): number {
    const missing = this.#samples.find(({ lsn }) => lsn > replayed);
    return missing === undefined ? 0 : now - missing.at;
  }
}
