import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { AdmissionModule } from '../admission/admission.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { OutboxModule } from '../outbox/outbox.module.js';
import { Restarts } from './restarts.js';

/** The restart of guests that ended unexpectedly. */
@Module({ imports: [AdmissionModule, JobsModule, OutboxModule], providers: [Restarts] })
export class RestartsModule implements OnApplicationBootstrap {
  constructor(
    private readonly restarts: Restarts,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'restarts', () => this.restarts.stop());
    this.restarts.start();
  }
}
