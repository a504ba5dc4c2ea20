export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit. */
  readonly failures: number;
  /** How long the circuit stays open, milliseconds. */
  readonly openMs: number;
  /** Each opening without a success in between lasts twice as long, up to this. Default `openMs`. */
  readonly maxOpenMs?: number;
  /** Milliseconds, monotone. Default `performance.now`. */
  readonly now?: () => number;
}

export type CircuitState = 'closed' | 'open' | 'half-open';

/** The call was not made: the circuit is open, or another call tests it. */
export class CircuitOpenError extends Error {
  constructor() {
    super('the circuit is open');
    this.name = 'CircuitOpenError';
  }
}

/**
 * Keeps calls from a dependency that fails them. After `failures` in a row the circuit opens and refuses every call.
 * After a while it is half-open: one call tests the dependency. Its success closes the circuit, its failure opens it
 * for longer. A caller may also report outcomes that it observed elsewhere, by `succeeded` and `failed`.
 */
export class CircuitBreaker {
  #failures = 0;
  #openings = 0;
  #openUntil = -Infinity;
  #testing = false;
  readonly #now: () => number;

  constructor(private readonly options: CircuitBreakerOptions) {
    this.#now = options.now ?? (() => performance.now());
  }

  get state(): CircuitState {
    if (this.#openings === 0) return 'closed';
    return this.#now() < this.#openUntil ? 'open' : 'half-open';
  }

  /**
   * @throws CircuitOpenError when the call is refused; what `call` throws
   */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const { state } = this;
    if (state === 'open' || (state === 'half-open' && this.#testing)) throw new CircuitOpenError();
    const tests = state === 'half-open';
    if (tests) this.#testing = true;
    try {
      const result = await call();
      this.succeeded();
      return result;
    } catch (error) {
      this.failed();
      throw error;
    } finally {
      if (tests) this.#testing = false;
    }
  }

  /** The dependency answered: the circuit is closed. */
  succeeded(): void {
    this.#failures = 0;
    this.#openings = 0;
  }

  /** @param gone the failure proves that the dependency is away: the circuit opens without waiting for others */
  failed(gone = false): void {
    const { state } = this;
    // A call that began before the circuit opened says nothing new.
    if (state === 'open') return;
    this.#failures += 1;
    if (!gone && state === 'closed' && this.#failures < this.options.failures) return;
    const { openMs, maxOpenMs = openMs } = this.options;
    this.#openUntil = this.#now() + Math.min(openMs * 2 ** this.#openings, maxOpenMs);
    this.#openings += 1;
    this.#failures = 0;
  }
}
