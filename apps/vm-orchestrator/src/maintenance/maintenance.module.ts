import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { Backlog } from './backlog.js';
import { Maintenance } from './purge.js';

/** What keeps the schema small and shows what waits in it. */
@Module({ providers: [Backlog, Maintenance] })
export class MaintenanceModule implements OnApplicationBootstrap {
  constructor(
    private readonly maintenance: Maintenance,
    private readonly backlog: Backlog,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'maintenance', () => this.maintenance.stop());
    this.drain.add('consumers', 'backlog', () => this.backlog.stop());
    this.maintenance.start();
    this.backlog.start();
  }
}
