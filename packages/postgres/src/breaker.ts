const FAILURES = 3;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/**
 * A circuit breaker for the reads of one server. It opens after three failures in a row, or after one that shows that
 * the server is gone: for a second, then twice as long each time, up to fifteen. It closes by itself. The first read
 * that succeeds resets it.
 */
export class Breaker {
  #failures = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #openUntil = 0;

  isOpen(now = performance.now()): boolean {
    return now < this.#openUntil;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  failed(gone: boolean, now = performance.now()): void {
    this.#failures++;
    if ((!gone && this.#failures < FAILURES) || this.isOpen(now)) return;
    this.#openUntil = now + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    this.#failures = 0;
  }
}
