import { Module, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { observableGauge } from '@novacron/telemetry/metrics';
import { HostsModule } from '../hosts/hosts.module.js';
import { OutboxModule } from '../outbox/outbox.module.js';
import { PlacementModule } from '../placement/placement.module.js';
import { ResyncModule } from '../resync/resync.module.js';
import { WaitingJobs } from '../resync/waiting-jobs.js';
import { Dispatcher } from './dispatcher.js';
import { HostCommands } from './host-commands.js';
import { JobReads } from './job-reads.js';
import { Liveness } from './liveness.js';
import { OperationRegistry } from './operation-registry.js';
import { StepCommits } from './step-commits.js';
import { StepRunner } from './step-runner.js';
import { Worker } from './worker.js';

const EXPORTED = [Dispatcher, JobReads, OperationRegistry, Worker];

/** Durable jobs: leases, the worker that runs their steps, and the dispatcher that finds those that are due. */
@Module({
  imports: [HostsModule, OutboxModule, PlacementModule, ResyncModule],
  providers: [...EXPORTED, HostCommands, Liveness, StepCommits, StepRunner],
  exports: EXPORTED,
})
export class JobsModule implements OnModuleInit, OnApplicationBootstrap {
  constructor(
    private readonly liveness: Liveness,
    private readonly worker: Worker,
    private readonly dispatcher: Dispatcher,
    private readonly waitingJobs: WaitingJobs,
    private readonly drain: DrainCoordinator,
  ) {}

  async onModuleInit(): Promise<void> {
    this.waitingJobs.connect((jobs) => this.dispatcher.wakeJobs(jobs));
    await this.liveness.heartbeat();
  }

  async onApplicationBootstrap(): Promise<void> {
    this.drain.add('consumers', 'jobs', () => this.#stop());
    // Requests are answered until NATS is drained. What they committed for this process is released to the next one.
    this.drain.add('telemetry', 'late jobs', () => this.worker.drain());
    await this.liveness.start();
    this.dispatcher.start();
    observableGauge('novacron_job_slots', 'Job slots of this process', (observe) => {
      observe(this.worker.busy, { state: 'busy' });
      observe(this.worker.free, { state: 'free' });
    });
  }

  /** Takes no new job, and resolves when the steps in flight are committed. */
  async #stop(): Promise<void> {
    this.dispatcher.stop();
    await this.worker.drain();
    await this.liveness.stop();
  }
}
