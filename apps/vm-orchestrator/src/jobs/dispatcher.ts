import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { claimDue } from './claim.js';
import type { Worker } from './worker.js';

/** The slow truth: whatever nobody was told of is found this late. */
const POLL_MS = 1_000;
const MAX_CLAIM = 64;
/** Jobs due within one such span are claimed together. */
const GRAIN_MS = 25;
/** With a backlog in the database, so many slots are filled by one claim. */
const REFILL = 16;

/**
 * One loop over due rows: wakes for what this process knows to be due, and every second for what it does
 * not (another process died, a message was lost).
 */
export class Dispatcher {
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  /** When something is known to be due, in grains of the clock. */
  readonly #dues = new Set<number>();
  #backlog = false;
  #polling = false;
  #stopped = true;

  constructor(
    private readonly db: Database,
    private readonly worker: () => Worker,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  start(): void {
    this.#stopped = false;
    this.wake(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Something is due in `ms`. */
  wake(ms: number): void {
    const grain = Math.ceil((performance.now() + ms) / GRAIN_MS);
    this.#dues.add(ms === 0 ? Math.floor(performance.now() / GRAIN_MS) : grain);
    this.#arm();
  }

  /** Jobs wait in the database that no slot was free for. */
  backlog(): void {
    this.#backlog = true;
  }

  /** A slot is free; its job wants one again in `ms`, or never. */
  freed(ms: number | null): void {
    if (ms !== null) this.wake(ms);
    if (this.#backlog && (this.worker().free >= REFILL || this.worker().busy === 0)) this.wake(0);
  }

  #arm(): void {
    if (this.#stopped || this.#polling) return;
    const at = Math.min(...this.#dues, Math.ceil((performance.now() + POLL_MS) / GRAIN_MS)) * GRAIN_MS;
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, at - performance.now()));
  }

  async #poll(): Promise<void> {
    this.#timerAt = Infinity;
    this.#polling = true;
    const grain = Math.floor(performance.now() / GRAIN_MS);
    for (const due of this.#dues) if (due <= grain) this.#dues.delete(due);
    try {
      await this.#fill();
    } catch (error) {
      this.logger.warn({ err: error }, 'due jobs could not be claimed');
    }
    this.#polling = false;
    this.#arm();
  }

  async #fill(): Promise<void> {
    const worker = this.worker();
    await worker.letGo();
    for (;;) {
      const limit = Math.min(worker.free, MAX_CLAIM);
      if (limit === 0 || this.#stopped) return;
      const claims = await claimDue(this.db, worker.options.owner, limit);
      worker.adopt(claims);
      if (claims.length < limit) {
        this.#backlog = false;
        return;
      }
      this.#backlog = true;
    }
  }
}
