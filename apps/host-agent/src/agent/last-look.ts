import type { Clock } from '../time/clock.js';

export interface LastLookOptions<T> {
  /** Looks, for as long as it takes: a stalled disk answers nothing. */
  readonly look: () => Promise<T>;
  readonly clock: Clock;
  /** How long a reader waits for a look. */
  readonly withinMs: number;
  readonly onFailure: (error: unknown) => void;
}

/** What was seen last of something that may hang. One look is under way at a time, however many ask. */
export class LastLook<T> {
  #last: T | undefined;
  #looking: Promise<void> | undefined;

  constructor(private readonly options: LastLookOptions<T>) {}

  /**
   * Looks, and waits for what is seen as long as a reader may. Never rejects.
   * @returns what the last look saw that has ended; undefined when that failed, and before the first
   */
  async read(): Promise<T | undefined> {
    const { clock, withinMs } = this.options;
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(withinMs, resolve);
    await Promise.race([this.#looking, enough]);
    cancel();
    return this.#last;
  }

  async #look(): Promise<void> {
    try {
      this.#last = await this.options.look();
    } catch (error) {
      this.#last = undefined;
      this.options.onFailure(error);
    }
  }
}
