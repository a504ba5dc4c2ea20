import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { HostsModule } from '../hosts/hosts.module.js';
import { AllocationAudit } from './audit.js';
import { Cleanups } from './cleanups.js';
import { Inventories } from './inventories.js';
import { Reports } from './reports.js';
import { ResyncScheduler } from './scheduler.js';
import { WaitingJobs } from './waiting-jobs.js';

const EXPORTED = [Cleanups, Inventories, Reports, WaitingJobs];

/** The comparison of hosts with the database. */
@Module({
  imports: [HostsModule],
  providers: [...EXPORTED, AllocationAudit, ResyncScheduler],
  exports: EXPORTED,
})
export class ResyncModule implements OnApplicationBootstrap {
  constructor(
    private readonly scheduler: ResyncScheduler,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'resync', () => this.scheduler.stop());
    // At the start of the drain: a clean-up in progress stops waiting for its host.
    this.drain.signal.addEventListener('abort', () => void this.scheduler.stop());
    this.scheduler.start();
  }
}
