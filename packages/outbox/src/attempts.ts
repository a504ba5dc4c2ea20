/** Rounds in which the stream refuses one event and stores others, after which the event is the cause. */
export const ROUNDS = 8;

/** Counts how often single events failed in rounds that proved the stream to work. */
export class Attempts {
  readonly #failed = new Map<number, number>();

  /**
   * Records one round.
   * @param round.stored the seqs that the stream acknowledged; an event that was set aside proves nothing
   * @returns the seqs that failed in {@link ROUNDS} rounds, each of which stored other events
   */
  note(round: { stored: ReadonlySet<number>; failed: readonly number[] }): number[] {
    for (const seq of round.stored) this.#failed.delete(seq);
    if (round.stored.size === 0) return [];
    return round.failed.filter((seq) => {
      const times = (this.#failed.get(seq) ?? 0) + 1;
      this.#failed.set(seq, times);
      return times >= ROUNDS;
    });
  }

  /** Forgets every event up to `seq`: it is stored or set aside. */
  passed(seq: number): void {
    for (const one of this.#failed.keys()) if (one <= seq) this.#failed.delete(one);
  }
}
