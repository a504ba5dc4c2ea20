import { ServiceError } from '@novacron/contracts/errors';

/** Concurrent reads of all waits of a process. A service takes 256 requests at a time. */
export const WAIT_READS = 32;

/**
 * Gives the reads of waits their turns, so that many waits leave a service free for ordinary requests. The queue is no
 * longer than the number of waits, which is limited.
 */
export class ReadTurns {
  readonly #queue = new Set<() => void>();
  #inFlight = 0;

  constructor(
    private readonly most: number = WAIT_READS,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Runs the read in its turn.
   * @param withinMs how long turn and read may take together; the read receives the rest, at least 1
   * @throws ServiceError `overloaded` when the turn does not come in time; what the read throws
   */
  async run<T>(withinMs: number, read: (leftMs: number) => Promise<T>): Promise<T> {
    const until = this.now() + withinMs;
    if (this.#inFlight >= this.most) await this.#turn(withinMs);
    else this.#inFlight += 1;
    try {
      return await read(Math.max(1, Math.ceil(until - this.now())));
    } finally {
      this.#pass();
    }
  }

  #turn(withinMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#queue.delete(go);
        reject(new ServiceError('overloaded', 'Too many waits read at once.', { retryAfterMs: 1_000 }));
      }, withinMs);
      this.#queue.add(go);
    });
  }

  /** Hands the turn to the next read, or ends it. */
  #pass(): void {
    for (const next of this.#queue) {
      this.#queue.delete(next);
      return next();
    }
    this.#inFlight -= 1;
  }
}
