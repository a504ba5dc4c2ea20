const KEPT = 600;

/** How far the primary was and when, as this process saw it: what a replica's lag is measured against. */
export class PrimaryProgress {
  readonly #samples: { readonly at: number; readonly lsn: bigint }[] = [];

  /** Notes the primary's flush position at `at` (milliseconds of a clock that only goes forward). */
  add(lsn: bigint, at: number): void {
    const last = this.#samples.at(-1);
    // A lower position is another history: the old one measures nothing any more.
    if (last && lsn < last.lsn) this.#samples.length = 0;
    if (last?.lsn === lsn) return;
    this.#samples.push({ at, lsn });
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  /** For how long, at least, the primary has had something that lies beyond `replayed`; 0: nothing is known to. */
  lagMs(replayed: bigint, now: number): number {
    const missing = this.#samples.find(({ lsn }) => lsn > replayed);
    return missing === undefined ? 0 : now - missing.at;
  }
}
