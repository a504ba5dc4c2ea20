import { sleep } from '@novacron/async/sleep';

/** Admits a number of turns per second, evenly: each caller waits for its turn. */
export class Pace {
  #next = 0;

  constructor(
    private readonly perSecond: number,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws the signal's reason when it fires first */
  async turn(): Promise<void> {
    const now = performance.now();
    const at = Math.max(this.#next, now);
    this.#next = at + 1_000 / this.perSecond;
    this.signal.throwIfAborted();
    if (at > now) await sleep(at - now, { signal: this.signal });
  }
}
