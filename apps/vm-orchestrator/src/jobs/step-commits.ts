import { Injectable } from '@nestjs/common';
import { Relay } from '@novacron/outbox/relay';
import type { Database } from '@novacron/postgres/database';
import { ServiceConfig, SystemDatabase } from '@novacron/service-kit/inject';
import type { OrchestratorConfig } from '../config.js';
import { GroupCommit } from '../database/group-commit.js';
import type { Ended } from './advance.js';
import { commitSteps } from './commit.js';
import type { LeasedJob } from './operation.js';

const MAX_BATCH = 64;

/** Commits the ends of steps: those that end together are one transaction. Their events are relayed at once. */
@Injectable()
export class StepCommits {
  readonly #group: GroupCommit<Ended, LeasedJob>;

  constructor(
    @SystemDatabase() db: Database,
    relay: Relay,
    @ServiceConfig() config: Pick<OrchestratorConfig, 'jobs'>,
  ) {
    const commit = async (batch: readonly Ended[]) => {
      const answers = await commitSteps(db, batch);
      relay.wake();
      return answers;
    };
    this.#group = new GroupCommit(commit, {
      maxBatch: MAX_BATCH,
      maxWaiting: config.jobs.slots,
      whenFull: () => new Error('more steps ended than there are slots'),
    });
  }

  /**
   * @returns the job as it goes on
   * @throws LeaseLost, CapacityLost, and whatever keeps the transaction from its commit
   */
  commit(ended: Ended): Promise<LeasedJob> {
    return this.#group.submit(ended);
  }
}
