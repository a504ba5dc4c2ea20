import type { Database } from '@novacron/postgres/database';
import { withSpan } from '@novacron/telemetry/trace';
import { GroupCommit } from '../database/group-commit.js';
import type { Ended } from './advance.js';
import { letGo } from './claim.js';
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
  /** Claims to give back: their step ended, but not in the database, or this process ends. */
  readonly #letGo = new Set<Claim>();
  #draining = false;

  constructor(
    private readonly db: Database,
    private readonly ports: StepPorts & { readonly placer: Pick<Placer, 'place' | 'settle' | 'isFenced'> },
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
    return this.#draining ? 0 : Math.max(0, this.options.slots - this.#running.size);
  }

  get busy(): number {
    return this.#running.size;
  }

  /** Takes over claims that this process holds. */
  adopt(claims: readonly Claim[]): void {
    for (const claim of claims) {
      if (this.#draining) {
        this.#letGo.add(claim);
        continue;
      }
      const run = this.#run(claim).then((ms) => {
        this.#running.delete(run);
        this.options.onFree(ms);
      });
      this.#running.add(run);
    }
  }

  /** Gives back claims, so that nothing waits for a lease to end; throws while the database is away. */
  async letGo(): Promise<void> {
    if (this.#letGo.size === 0) return;
    const claims = [...this.#letGo];
    await letGo(this.db, this.options.owner, claims);
    for (const claim of claims) this.#letGo.delete(claim);
  }

  /**
   * Takes nothing any more and resolves when every step in flight has been committed and every claim given back.
   * May be called again, for what was committed for this process in the meantime.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.letGo();
  }

  /** @returns milliseconds until the job is due again, null when it is over or somebody else's */
  async #run(first: Claim): Promise<number | null> {
    let claim = first;
    for (;;) {
      const { id, kind, step } = claim.job;
      const attributes = { 'novacron.job.id': id, 'novacron.vm.id': claim.vm.id };
      const after = await withSpan(`step ${kind}.${step}`, attributes, () => this.#step(claim));
      if (after === null || typeof after === 'number') return after;
      claim = after;
      if (!this.#draining) continue;
      this.#letGo.add(claim);
      return null;
    }
  }

  /** @returns the claim to go on with, or as #run() */
  async #step(claim: Claim): Promise<Claim | number | null> {
    const ended = await runStep(claim, this.ports);
    try {
      const after = await this.#commits.submit(ended);
      this.ports.placer.settle(after.job.id, true);
      if (after.job.status === 'waiting') return ended.result.then === 'wait' ? ended.result.ms : 0;
      return after.job.status === 'running' ? after : null;
    } catch (error) {
      this.ports.placer.settle(claim.job.id, false);
      if (error instanceof ClaimLost) return null;
      if (error instanceof RoomLost && (await this.#sawHosts())) return claim;
      // The step is run again, by whoever is well by then: soon, or when the lease has run out.
      this.#letGo.add(claim);
      this.ports.logger.error({ err: error, jobId: claim.job.id }, 'a step could not be committed');
      return null;
    }
  }

  /** Looks at the hosts anew; false when the database cannot show them just now. */
  #sawHosts(): Promise<boolean> {
    return this.refreshHosts().then(
      () => true,
      () => false,
    );
  }
}
