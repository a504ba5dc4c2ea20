import { ServiceError } from '@novacron/contracts/errors';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Worker } from '../jobs/worker.js';

const COUNT_LIVE: Statement = {
  name: 'jobs-count-live',
  text: `SELECT count(*)::int AS live FROM jobs WHERE status IN ('queued', 'running', 'waiting')`,
};
const COUNT_EVERY_MS = 1_000;

export interface Ticket {
  /** Under which a job is born: this process when it has a slot free, nobody otherwise. */
  readonly owner: string | null;
  /** To be called once. */
  settle(): void;
}

/**
 * Guards the queue of jobs: over its bound a request is refused before anything is written, never after.
 * The count is read every second; what this process admits in between is added.
 */
export class Admission {
  #counted = 0;
  #since = 0;
  #births = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param db as the `_sys` role: the bound is over all tenants */
  constructor(
    private readonly db: Database,
    private readonly worker: () => Pick<Worker, 'free' | 'options'>,
    private readonly maxLive: number,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(): void {
    this.#timer = setInterval(() => void this.count().catch(this.onError), COUNT_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async count(): Promise<void> {
    const before = this.#since;
    const { rows } = await this.db.primary.query<{ live: number }>(COUNT_LIVE);
    this.#counted = rows[0]?.live ?? 0;
    this.#since -= before;
  }

  get live(): number {
    return this.#counted + this.#since;
  }

  /**
   * Lets one more job in. The ticket is settled when its job is in the worker's hands, or came to nothing.
   * @throws ServiceError `overloaded` when the queue is full
   */
  admit(options: { readonly always?: boolean } = {}): Ticket {
    if (this.live >= this.maxLive && !options.always) {
      throw new ServiceError('overloaded', `${this.live} jobs are in progress: try again in a moment`, {
        retryAfterMs: 1_000,
      });
    }
    this.#since += 1;
    const owner = this.worker().free > this.#births ? this.worker().options.owner : null;
    if (owner !== null) this.#births += 1;
    return { owner, settle: () => void (this.#births -= owner === null ? 0 : 1) };
  }
}
