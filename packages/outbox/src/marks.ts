interface Mark {
  readonly seq: number;
  readonly position: string;
}

const KEPT = 64;

/**
 * Watermarks that wait: each numbered batch that left no event behind makes one. It may be published when the events up
 * to its seq are. Of marks with one seq only the newest counts.
 */
export class Marks {
  #waiting: Mark[] = [];

  add(mark: Mark): void {
    if (this.#waiting.at(-1)?.seq === mark.seq) this.#waiting.pop();
    // Full while the stream is down: the newest marks are worth least, since the most must be published first.
    if (this.#waiting.length >= KEPT) this.#waiting.pop();
    this.#waiting.push(mark);
  }

  /** The newest mark that is true now, once. */
  take(published: number): Mark | undefined {
    let newest: Mark | undefined;
    while (this.#waiting[0] && this.#waiting[0].seq <= published) newest = this.#waiting.shift();
    return newest;
  }
}
