import type { Database } from '@novacron/postgres/database';
import { GroupCommit } from '../group-commit.js';
import type { Ended } from './advance.js';
import { ClaimLost, commitSteps, RoomLost } from './commit.js';
import type { Claim } from './operation.js';
import type { Placer } from '../placement/placer.js';
import { runStep, type StepPorts } from './run-step.js';

export interface WorkerOptions {
  /** Identifies this process in leases. */
  readonly owner: string;
  /** Jobs worked on at once; the rest wait in the database. */
  readonly slots: number;
  /** Called after each commit: there are events to relay. */
  readonly onCommit: () => void;
  /** Called when a job leaves a slot: `ms` until it wants one again, null when it is over. */
  readonly onFree: (ms: number | null) => void;
}

const MAX_BATCH = 64;

/**
 * Runs claimed jobs, step after step, each step's end in one transaction with the state. Steps that end
 * together commit together. A crash at any point leaves the claim's lease to run out.
 */
export class Worker {
  readonly #commits: GroupCommit<Ended, Claim>;
  readonly #running = new Set<Promise<void>>();

  constructor(
    db: Database,
    private readonly ports: StepPorts & { readonly placer: Pick<Placer, 'place' | 'settle'> },
    private readonly refreshHosts: () => Promise<void>,
    readonly options: WorkerOptions,
  ) {
    const commit = async (batch: readonly Ended[]) => {
      const answers = await commitSteps(db, batch);
      options.onCommit();
      return answers;
    };
    this.#commits = new GroupCommit(commit, {
      maxBatch: MAX_BATCH,
      maxWaiting: options.slots,
      whenFull: () => new Error('more steps ended than there are slots'),
    });
  }

  get free(): number {
    return Math.max(0, this.options.slots - this.#running.size);
  }

  get busy(): number {
    return this.#running.size;
  }

  /** Takes over claims that this process holds. */
  adopt(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const run = this.#run(claim).then((ms) => {
        this.#running.delete(run);
        this.options.onFree(ms);
      });
      this.#running.add(run);
    }
  }

  /** Resolves when every step in flight has been committed. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** @returns milliseconds until the job is due again, null when it is over or somebody else's */
  async #run(first: Claim): Promise<number | null> {
    let claim = first;
    for (;;) {
      const ended = await runStep(claim, this.ports);
      try {
        claim = await this.#commits.submit(ended);
        this.ports.placer.settle(claim.job.id, true);
      } catch (error) {
        this.ports.placer.settle(claim.job.id, false);
        if (error instanceof ClaimLost) return null;
        if (error instanceof RoomLost) {
          await this.refreshHosts();
          continue;
        }
        // The lease runs out and the step is run again, by whoever is well by then.
        this.ports.logger.error({ err: error, jobId: claim.job.id }, 'a step could not be committed');
        return null;
      }
      if (claim.job.status === 'waiting') return ended.result.then === 'wait' ? ended.result.ms : 0;
      if (claim.job.status !== 'running') return null;
    }
  }
}
