/** A missing number is a gap only when nothing has moved for this long: until then the event may be in flight. */
export const GAP_AFTER_MS = 1_000;

/** Measures how long the contiguous number has waited for the next one. Times are milliseconds of any clock. */
export class GapTimer {
  #contiguous = -1;
  #since = 0;

  constructor(private readonly afterMs = GAP_AFTER_MS) {}

  /**
   * @param contiguous every number up to here is present
   * @param highest the highest known number
   * @returns how long the next number has been missing, when that is too long; otherwise undefined
   */
  overdue(contiguous: number, highest: number, now: number): number | undefined {
    if (contiguous !== this.#contiguous || highest <= contiguous) {
      this.#contiguous = contiguous;
      this.#since = now;
      return undefined;
    }
    const age = now - this.#since;
    return age >= this.afterMs ? age : undefined;
  }
}
