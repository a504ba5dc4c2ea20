export interface BackoffOptions {
  /** The first delay, milliseconds. */
  readonly firstMs: number;
  /** Each delay doubles the one before, up to this. */
  readonly maxMs: number;
  /** Spreads a delay evenly from `1 - jitter` to `1 + jitter` times its length: 0 to 1. Default 0. */
  readonly jitter?: number;
}

/** The delays between attempts, for loops that {@link retry} does not fit. */
export class Backoff {
  #nextMs: number;

  constructor(
    private readonly options: BackoffOptions,
    private readonly random: () => number = Math.random,
  ) {
    this.#nextMs = options.firstMs;
  }

  /** @returns the delay before the next attempt, milliseconds */
  next(): number {
    const { maxMs, jitter = 0 } = this.options;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, maxMs);
    return jitter === 0 ? delayMs : delayMs * (1 - jitter + 2 * jitter * this.random());
  }

  /** The next delay is the first one again. */
  reset(): void {
    this.#nextMs = this.options.firstMs;
  }
}
