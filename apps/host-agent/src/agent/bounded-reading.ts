import type { Clock } from '../time/clock.js';

export interface BoundedReadingOptions<T> {
  /** May take any time: a stalled disk does not answer. */
  readonly read: () => Promise<T>;
  readonly clock: Clock;
  /** How long a caller waits for it. */
  readonly withinMs: number;
  readonly onFailure: (error: unknown) => void;
}

/** The last value of a source that may hang. Concurrent callers share one reading. */
export class BoundedReading<T> {
  #last: T | undefined;
  #reading: Promise<void> | undefined;

  constructor(private readonly options: BoundedReadingOptions<T>) {}

  /**
   * Starts a reading, and waits for it at most `withinMs`. Never rejects.
   * @returns the value of the last completed reading; undefined when that failed, and before the first
   */
  async read(): Promise<T | undefined> {
    const { clock, withinMs } = this.options;
    this.#reading ??= this.#readOnce().finally(() => (this.#reading = undefined));
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(withinMs, resolve);
    await Promise.race([this.#reading, enough]);
    cancel();
    return this.#last;
  }

  async #readOnce(): Promise<void> {
    try {
      this.#last = await this.options.read();
    } catch (error) {
      this.#last = undefined;
      this.options.onFailure(error);
    }
  }
}
