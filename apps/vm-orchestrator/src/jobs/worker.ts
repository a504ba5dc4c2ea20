import { Injectable } from '@nestjs/common';
import type { Database } from '@novacron/postgres/database';
import { ServiceConfig, ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { withSpan } from '@novacron/telemetry/trace';
import { Subject } from 'rxjs';
import type { OrchestratorConfig } from '../config.js';
import { CapacityLost, LeaseLost } from './commit.js';
import { releaseLeases } from './leases.js';
import { Liveness } from './liveness.js';
import type { LeasedJob } from './operation.js';
import { StepCommits } from './step-commits.js';
import { StepRunner } from './step-runner.js';

/**
 * Runs leased jobs, step after step, the end of each step in one transaction with the state. A crash at any point
 * leaves the lease to run out.
 */
@Injectable()
export class Worker {
  /** A job has left its slot: milliseconds until it wants one again, null when it is over or another worker's. */
  readonly slotFree = new Subject<number | null>();
  readonly #slots: number;
  readonly #running = new Set<Promise<void>>();
  /** Leases to release: the commit of the step failed, or this process ends. */
  readonly #toRelease = new Set<LeasedJob>();
  #draining = false;

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly liveness: Liveness,
    private readonly steps: StepRunner,
    private readonly commits: StepCommits,
    @ServiceConfig() config: Pick<OrchestratorConfig, 'jobs'>,
    @ServiceLogger() private readonly logger: Logger,
  ) {
    this.#slots = config.jobs.slots;
  }

  /** The owner of this worker's leases. */
  get owner(): string {
    return this.liveness.owner;
  }

  get free(): number {
    return this.#draining ? 0 : Math.max(0, this.#slots - this.#running.size);
  }

  get busy(): number {
    return this.#running.size;
  }

  /** Takes over jobs that are leased to this process. */
  take(leased: readonly LeasedJob[]): void {
    for (const one of leased) {
      if (this.#draining) {
        this.#toRelease.add(one);
        continue;
      }
      const run = this.#run(one).then((ms) => {
        this.#running.delete(run);
        this.slotFree.next(ms);
      });
      this.#running.add(run);
    }
  }

  /** Releases leases, so that no job waits for a lease to end; throws while the database is away. */
  async release(): Promise<void> {
    if (this.#toRelease.size === 0) return;
    const leased = [...this.#toRelease];
    await releaseLeases(this.db, this.owner, leased);
    for (const one of leased) this.#toRelease.delete(one);
  }

  /**
   * Takes no more jobs, and resolves when every step in flight has been committed and every lease released.
   * May be called again, for what was committed for this process in the meantime.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.release();
  }

  /** @returns milliseconds until the job is due again, null when it is over or another worker's */
  async #run(first: LeasedJob): Promise<number | null> {
    let leased = first;
    for (;;) {
      const { id, kind, step } = leased.job;
      const attributes = { 'novacron.job.id': id, 'novacron.vm.id': leased.vm.id };
      const after = await withSpan(`step ${kind}.${step}`, attributes, () => this.#step(leased));
      if (after === null || typeof after === 'number') return after;
      leased = after;
      if (!this.#draining) continue;
      this.#toRelease.add(leased);
      return null;
    }
  }

  /** @returns the job to go on with, or as #run() */
  async #step(leased: LeasedJob): Promise<LeasedJob | number | null> {
    const ended = await this.steps.run(leased);
    try {
      const after = await this.commits.commit(ended);
      this.steps.settle(after, true);
      if (after.job.status === 'waiting') return ended.result.then === 'wait' ? ended.result.ms : 0;
      return after.job.status === 'running' ? after : null;
    } catch (error) {
      this.steps.settle(leased, false);
      if (error instanceof LeaseLost) return null;
      if (error instanceof CapacityLost && (await this.steps.refreshHosts())) return leased;
      // A worker that is well runs the step again: soon, or when the lease has run out.
      this.#toRelease.add(leased);
      this.logger.error({ err: error, jobId: leased.job.id }, 'job step commit failed');
      return null;
    }
  }
}
