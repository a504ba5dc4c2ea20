import { Injectable } from '@nestjs/common';
import { ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from '../database/clock.js';
import { Placer } from '../placement/placer.js';
import type { Ended } from './advance.js';
import { HostCommands } from './host-commands.js';
import { OperationRegistry } from './operation-registry.js';
import type { LeasedJob } from './operation.js';
import { runStep, type StepOptions } from './run-step.js';

/** Runs the steps of leased jobs with the hosts and the placement of this process. */
@Injectable()
export class StepRunner {
  readonly #options: StepOptions;

  constructor(
    operations: OperationRegistry,
    commands: HostCommands,
    private readonly placer: Placer,
    @ServiceLogger() logger: Logger,
  ) {
    this.#options = { operations, commands, placer, logger, now: databaseNow };
  }

  run(leased: LeasedJob): Promise<Ended> {
    return runStep(leased, this.#options);
  }

  /** The end of the job's step was committed, or not: the capacity that it reserved is allocated, or free. */
  settle({ job }: LeasedJob, committed: boolean): void {
    this.placer.settle(job.id, committed);
  }

  /** Reads the hosts again after one had no capacity left; false when that is not possible now. */
  refreshHosts(): Promise<boolean> {
    return this.placer.refresh();
  }
}
