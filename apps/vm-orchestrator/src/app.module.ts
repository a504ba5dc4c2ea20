import { Module } from '@nestjs/common';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { AdmissionModule } from './admission/admission.module.js';
import { ApiModule } from './api/api.module.js';
import { orchestratorSettings } from './config.js';
import { DrainModule } from './drain/drain.module.js';
import { HostsModule } from './hosts/hosts.module.js';
import { HostSettingsModule } from './hosts/settings.js';
import { JobsModule } from './jobs/jobs.module.js';
import { MaintenanceModule } from './maintenance/maintenance.module.js';
import { MIGRATIONS } from './migrations/all.js';
import { OperationsModule } from './operations/operations.module.js';
import { OutboxModule } from './outbox/outbox.module.js';
import { PlacementModule } from './placement/placement.module.js';
import { QuotasModule } from './quotas/quotas.module.js';
import { RestartsModule } from './restarts/restarts.module.js';
import { ResyncModule } from './resync/resync.module.js';
import { VmsModule } from './vms/vms.module.js';

/** The rooms from the top. Each imports the modules of the rooms below that it uses; those start first and stop last. */
@Module({
  imports: [
    HostSettingsModule,
    MaintenanceModule,
    RestartsModule,
    DrainModule,
    ApiModule,
    AdmissionModule,
    OperationsModule,
    JobsModule,
    ResyncModule,
    PlacementModule,
    HostsModule,
    VmsModule,
    QuotasModule,
    OutboxModule,
  ],
})
export class AppModule {}

/** The vm-orchestrator, for `main.ts` and for tests that run it within their process. */
export const orchestrator: ServiceSpec<typeof orchestratorSettings> = {
  name: 'orchestrator',
  settings: orchestratorSettings,
  postgres: { schema: 'orchestrator', migrations: MIGRATIONS },
  streams: ['EVENTS'],
  module: AppModule,
};
