/** Admits a burst of `capacity`, and `perSecond` from then on. */
export class TokenBucket {
  /** Below zero when all gateways together have admitted more than the capacity. */
  #level: number;
  #at: number;
  /** Taken here, and not yet in the shared count. */
  #unsynced = 0;
  /** For the header `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers). */
  readonly policy: string;

  constructor(
    readonly name: string,
    readonly capacity: number,
    readonly perSecond: number,
    now: number,
  ) {
    this.#level = capacity;
    this.#at = now;
    const window = Math.max(1, Math.round(capacity / perSecond));
    this.policy = `"${name}";q=${capacity};w=${window}`;
  }

  /** @returns whether the request is admitted @param now milliseconds, of a monotonic clock */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#level < 1) return false;
    this.#level -= 1;
    this.#unsynced += 1;
    return true;
  }

  /** Whether {@link take} would refuse now. */
  spent(now: number): boolean {
    this.#refill(now);
    return this.#level < 1;
  }

  /** The rest, in the form of the header `RateLimit`. */
  state(): string {
    const left = Math.max(0, Math.floor(this.#level));
    return `"${this.name}";r=${left};t=${Math.ceil((this.capacity - this.#level) / this.perSecond)}`;
  }

  /** Until the next request is admitted, if no other one comes before. */
  get retryAfterMs(): number {
    return Math.max(0, Math.ceil(((1 - this.#level) / this.perSecond) * 1_000));
  }

  get unsynced(): number {
    return this.#unsynced;
  }

  /** Hands over what was taken here, for the shared count. */
  drain(): number {
    const drained = this.#unsynced;
    this.#unsynced = 0;
    return drained;
  }

  /** @param level what all gateways together have left, without what was taken here since {@link drain} */
  reconcile(level: number, now: number): void {
    this.#at = now;
    this.#level = Math.min(this.capacity, level) - this.#unsynced;
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#level = Math.min(this.capacity, this.#level + ((now - this.#at) / 1_000) * this.perSecond);
    this.#at = now;
  }
}
