import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { AdmissionModule } from '../admission/admission.module.js';
import { HostsModule } from '../hosts/hosts.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { QuotasModule } from '../quotas/quotas.module.js';
import { ResyncModule } from '../resync/resync.module.js';
import { VmsModule } from '../vms/vms.module.js';
import { EventsController } from './events.controller.js';
import { HostController } from './host.controller.js';
import { HostRequests } from './host-requests.js';
import { InfrastructureController } from './infrastructure.controller.js';
import { JobsController } from './jobs.controller.js';
import { QuotasController } from './quotas.controller.js';
import { VmsController } from './vms.controller.js';

/** What other services and hosts may ask. */
@Module({
  imports: [AdmissionModule, HostsModule, JobsModule, QuotasModule, ResyncModule, VmsModule],
  controllers: [EventsController, InfrastructureController, JobsController, QuotasController, VmsController],
  providers: [HostController, HostRequests],
})
export class ApiModule implements OnApplicationBootstrap {
  constructor(
    private readonly hosts: HostController,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'host requests', () => this.hosts.stop());
    this.hosts.start();
  }
}
