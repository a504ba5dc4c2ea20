/** So many at once, and so many a second from then on. */
export class TokenBucket {
  /** May be below zero: others, elsewhere, took more than there was. */
  #level: number;
  #at: number;
  /** Taken here since the shared count heard of it. */
  #untold = 0;
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

  /** @returns whether there was one left @param now milliseconds, of a clock that never goes back */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#level < 1) return false;
    this.#level -= 1;
    this.#untold += 1;
    return true;
  }

  /** Whether {@link take} would find none now. */
  spent(now: number): boolean {
    this.#refill(now);
    return this.#level < 1;
  }

  /** What is left, as the header `RateLimit` says it. */
  state(): string {
    const left = Math.max(0, Math.floor(this.#level));
    return `"${this.name}";r=${left};t=${Math.ceil((this.capacity - this.#level) / this.perSecond)}`;
  }

  /** Until there is one again, if nobody takes it. */
  get retryAfterMs(): number {
    return Math.max(0, Math.ceil(((1 - this.#level) / this.perSecond) * 1_000));
  }

  get untold(): number {
    return this.#untold;
  }

  /** Takes what was taken here out, to tell it. */
  tell(): number {
    const told = this.#untold;
    this.#untold = 0;
    return told;
  }

  /** What all gateways together have left; what was taken here meanwhile is not in it. */
  shared(level: number, now: number): void {
    this.#at = now;
    this.#level = Math.min(this.capacity, level) - this.#untold;
  }

  #refill(now: number): void {
    if (now <= this.#at) return;
    this.#level = Math.min(this.capacity, this.#level + ((now - this.#at) / 1_000) * this.perSecond);
    this.#at = now;
  }
}
