import { Injectable } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceConfig, ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import { ServiceError } from '@novacron/contracts/errors';
import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import type { OrchestratorConfig } from '../config.js';
import { Worker } from '../jobs/worker.js';

const COUNT_LIVE: Statement = {
  name: 'jobs-count-live',
  text: `SELECT count(*)::int AS live FROM jobs WHERE status IN ('queued', 'running', 'waiting')`,
};
const COUNT_EVERY_MS = 1_000;

export interface Ticket {
  /** The owner of the new job's lease: this process when it has a slot free, else null. */
  readonly owner: string | null;
  /** To be called once. */
  settle(): void;
}

/**
 * Guards the queue of jobs: over its bound a request is refused before anything is written, never after.
 * The count is read every second; what this process admits in between is added.
 */
@Injectable()
export class Admission {
  #counted = 0;
  #since = 0;
  #reserved = 0;
  readonly #counts = new Periodic(() => this.count(), {
    everyMs: COUNT_EVERY_MS,
    onError: (error) => this.logger.warn({ err: error }, 'count of live jobs failed'),
  });

  constructor(
    // The bound is over all tenants.
    @SystemDatabase() private readonly db: Database,
    private readonly worker: Worker,
    @ServiceConfig() private readonly config: Pick<OrchestratorConfig, 'jobs'>,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  start(): void {
    this.#counts.start();
  }

  stop(): Promise<void> {
    return this.#counts.stop();
  }

  async count(): Promise<void> {
    const before = this.#since;
    const { rows } = await this.db.primary.query<{ live: number }>(COUNT_LIVE);
    this.#counted = rows[0]?.live ?? 0;
    this.#since -= before;
  }

  /** Jobs in progress beyond which requests are refused. */
  get limit(): number {
    return this.config.jobs.maxLive;
  }

  /** Jobs in progress, over all processes. */
  get live(): number {
    return this.#counted + this.#since;
  }

  /**
   * Lets one more job in. The ticket is settled when the worker has taken its job, or no job was written.
   * @throws ServiceError `overloaded` when the queue is full
   */
  admit(options: { readonly always?: boolean } = {}): Ticket {
    if (this.live >= this.limit && !options.always) {
      throw new ServiceError('overloaded', `${this.live} jobs are in progress: try again in a moment`, {
        retryAfterMs: 1_000,
      });
    }
    this.#since += 1;
    const owner = this.worker.free > this.#reserved ? this.worker.owner : null;
    if (owner !== null) this.#reserved += 1;
    return { owner, settle: () => void (this.#reserved -= owner === null ? 0 : 1) };
  }
}
