/** A hole is only one when nothing has moved for this long: until then it is an event on its way. */
export const HOLE_AFTER_MS = 1_000;

/** Says when the contiguous number has waited too long for the next one. Times in milliseconds of any clock. */
export class Gaps {
  #contiguous = -1;
  #since = 0;

  constructor(private readonly afterMs = HOLE_AFTER_MS) {}

  /**
   * @param contiguous every number up to here is there
   * @param highest the highest number known of
   * @returns how long the next number has been missing, when that is too long; else undefined
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
