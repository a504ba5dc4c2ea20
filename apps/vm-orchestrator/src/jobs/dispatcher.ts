import { Injectable } from '@nestjs/common';
import type { JobId } from '@novacron/contracts/ids';
import { Relay } from '@novacron/outbox/relay';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { leaseDue, WAKE } from './leases.js';
import { Liveness } from './liveness.js';
import type { LeasedJob } from './operation.js';
import { Worker } from './worker.js';

/** A due job without a wake (its process died, a message was lost) is found after so long. */
const POLL_MS = 1_000;
const MAX_LEASED = 64;
/** Jobs that are due within one such span are leased together. */
const GRAIN_MS = 25;
/** With a backlog in the database, so many slots are filled by one query. */
const REFILL = 16;

/**
 * One loop over due jobs: it runs when this process knows that one is due, and every second for those that it does not
 * know of.
 */
@Injectable()
export class Dispatcher {
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  /** When something is known to be due, in grains of the clock. */
  readonly #dues = new Set<number>();
  #backlog = false;
  #polling = false;
  #stopped = true;

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly worker: Worker,
    private readonly relay: Relay,
    liveness: Liveness,
    @ServiceLogger() private readonly logger: Logger,
  ) {
    worker.slotFree.subscribe((ms) => this.#onSlotFree(ms));
    liveness.jobsReleased.subscribe(() => this.wake(0));
  }

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

  /** Jobs were created and committed. This worker takes those that are leased to it; the others wait for a slot. */
  createdLeased(created: readonly LeasedJob[]): void {
    const own = created.filter(({ job }) => job.lease_owner !== null);
    if (own.length < created.length) this.backlog();
    this.worker.take(own);
    this.relay.wake();
  }

  /** Makes waiting jobs due at once: what they waited for has come. */
  async wakeJobs(jobIds: readonly JobId[]): Promise<void> {
    await this.db.primary.batch({}, [{ statement: WAKE, params: [jobIds] }]);
    this.wake(0);
  }

  #onSlotFree(ms: number | null): void {
    if (ms !== null) this.wake(ms);
    if (this.#backlog && (this.worker.free >= REFILL || this.worker.busy === 0)) this.wake(0);
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
      this.logger.warn({ err: error }, 'lease of due jobs failed');
    }
    this.#polling = false;
    this.#arm();
  }

  async #fill(): Promise<void> {
    await this.worker.release();
    for (;;) {
      const limit = Math.min(this.worker.free, MAX_LEASED);
      if (limit === 0 || this.#stopped) return;
      const leased = await leaseDue(this.db, this.worker.owner, limit);
      this.worker.take(leased);
      if (leased.length < limit) {
        this.#backlog = false;
        return;
      }
      this.#backlog = true;
    }
  }
}
