/** The position of an observation in an epoch. */
export interface Stamp {
  readonly epoch: number;
  readonly seq: number;
}

/**
 * The numbers of a host's facts: one sequence per epoch of the orchestrator. Draw a stamp before observing, so that of two
 * facts the one with the higher number is never the older.
 */
export class Stamps {
  #epoch = 0;
  #seq = 0;

  /** 0 before the first registration. */
  get epoch(): number {
    return this.#epoch;
  }

  /** A registration was answered with this epoch. */
  begin(epoch: number): void {
    this.#epoch = epoch;
    this.#seq = 0;
  }

  draw(): Stamp {
    return { epoch: this.#epoch, seq: ++this.#seq };
  }
}
