import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { AdmissionModule } from '../admission/admission.module.js';
import { HostsModule } from '../hosts/hosts.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { OutboxModule } from '../outbox/outbox.module.js';
import { ResyncModule } from '../resync/resync.module.js';
import { Drainer } from './drainer.js';

/** The drain of hosts, which an operator begins by an action. */
@Module({
  imports: [AdmissionModule, HostsModule, JobsModule, OutboxModule, ResyncModule],
  providers: [Drainer],
})
export class DrainModule implements OnApplicationBootstrap {
  constructor(
    private readonly drainer: Drainer,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'drain of hosts', () => this.drainer.stop());
    this.drainer.start();
  }
}
