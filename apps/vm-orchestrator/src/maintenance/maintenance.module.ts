import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { Backlog } from './backlog.js';
import { Maintenance } from './purge.js';

/** The purge of old rows, and the gauges of waiting work. */
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
