import { Module, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { observableGauge } from '@novacron/telemetry/metrics';
import { HostsModule } from '../hosts/hosts.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { OperationsModule } from '../operations/operations.module.js';
import { OutboxModule } from '../outbox/outbox.module.js';
import { VmsModule } from '../vms/vms.module.js';
import { VmActor } from './act.js';
import { Admission } from './admission.js';
import { JobCanceller } from './cancel-job.js';
import { Catalog } from './catalog.js';
import { VmCreator } from './create.js';
import { HostActions } from './host-actions.js';
import { HostInvites } from './host-invites.js';
import { VmPatcher } from './patch.js';
import { JobRetrier } from './retry-job.js';

const EXPORTED = [HostActions, HostInvites, JobCanceller, JobRetrier, VmActor, VmCreator, VmPatcher];

/** The use cases that change something for a caller: each writes an intent in one transaction and answers. */
@Module({
  imports: [HostsModule, JobsModule, OperationsModule, OutboxModule, VmsModule],
  providers: [...EXPORTED, Admission, Catalog],
  exports: EXPORTED,
})
export class AdmissionModule implements OnModuleInit, OnApplicationBootstrap {
  constructor(
    private readonly admission: Admission,
    private readonly drain: DrainCoordinator,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.admission.count();
  }

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'admission', () => this.admission.stop());
    this.admission.start();
    observableGauge('novacron_jobs_live', 'Jobs in progress, over all processes', (observe) =>
      observe(this.admission.live),
    );
    observableGauge('novacron_jobs_limit', 'Jobs in progress beyond which requests are refused', (observe) =>
      observe(this.admission.limit),
    );
  }
}
