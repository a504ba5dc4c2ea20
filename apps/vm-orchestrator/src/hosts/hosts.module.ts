import { Module, type DynamicModule } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import type { HostSnapshot } from './snapshot.js';
import { AllocationAudit } from '../resync/audit.js';
import { Cleanups } from '../resync/cleanups.js';
import { Inventories } from '../resync/inventories.js';
import { Reports, type WakeJobs } from '../resync/reports.js';
import { ResyncScheduler } from '../resync/scheduler.js';
import { ClockSkew } from './clock-skew.js';
import { HostConditions } from './conditions.js';
import { DownDetector } from './down-detector.js';
import { Heartbeats } from './heartbeats.js';
import { HostActions } from '../admission/host-actions.js';
import { HostDirectory } from './host-directory.js';
import { HostResources } from './host-resources.js';
import { HostIntake, type OnEnded } from '../api/host.controller.js';
import type { HostLink } from './host-link.js';
import { InfrastructureController } from '../api/infrastructure.controller.js';
import { HostInvites } from './host-invites.js';
import { Registration, type HostAdmission } from './registration.js';
import { HOST_SETTINGS, type HostSettings } from './settings.js';
import { UnreachableVms } from './unreachable-vms.js';

export interface HostsOptions {
  readonly nc: NatsConnection;
  /** Of the `_sys` role: workers. */
  readonly sys: Database;
  /** Of the `_api` role: requests. */
  readonly api: Database;
  readonly snapshot: HostSnapshot;
  readonly link: HostLink;
  readonly log: Logger;
  readonly onEnded: OnEnded;
  readonly wakeJobs: WakeJobs;
  readonly admission: HostAdmission;
  readonly settings?: HostSettings;
}

/** Everything that hears and watches hosts, built and wired: the one place that knows who needs whom. */
export class Hosts {
  readonly directory: HostDirectory;
  readonly actions: HostActions;
  readonly invites: HostInvites;
  readonly intake: HostIntake;
  readonly conditions: HostConditions;
  readonly heartbeats: Heartbeats;
  readonly downDetector: DownDetector;
  readonly cleanups: Cleanups;
  readonly resync: ResyncScheduler;

  constructor(options: HostsOptions) {
    const { nc, sys, api, snapshot, link, log, settings = HOST_SETTINGS } = options;
    const unreachable = new UnreachableVms(sys, log);
    const audit = new AllocationAudit(sys, log);
    this.invites = new HostInvites(sys);
    this.directory = new HostDirectory(api);
    this.actions = new HostActions(sys, snapshot, unreachable, settings);
    this.conditions = new HostConditions(sys, snapshot, log);
    const resources = new HostResources(sys, snapshot, this.conditions, log);
    const clocks = new ClockSkew(snapshot, this.conditions, settings);
    this.heartbeats = new Heartbeats(sys, snapshot, this.conditions, resources, clocks, settings, log);
    this.downDetector = new DownDetector(sys, nc, snapshot, unreachable, settings, log);
    this.cleanups = new Cleanups(sys, link, snapshot, log);
    this.resync = new ResyncScheduler(sys, link, this.cleanups, settings, log);
    const registration = new Registration(sys, snapshot, options.admission, settings, log);
    const reports = new Reports(sys, options.wakeJobs, log);
    const inventories = new Inventories(sys, log, async (hostId) => void (await audit.run(hostId)));
    this.intake = new HostIntake(
      nc,
      registration,
      this.heartbeats,
      { reports, inventories },
      options.onEnded,
      log,
    );
  }

  /** Starts hearing and watching. The snapshot is its owner's to start. */
  start(): void {
    this.heartbeats.start();
    this.intake.start();
    this.downDetector.start();
    this.resync.start();
  }

  /** Stops in the order of a drain; what was heard is finished and written. */
  async stop(): Promise<void> {
    await Promise.all([this.intake.stop(), this.downDetector.stop(), this.resync.stop()]);
    await this.heartbeats.stop();
  }
}

/** Makes `Hosts` and its parts injectable. Starting and stopping is the service's. */
@Module({})
export class HostsModule {
  static from(hosts: Hosts): DynamicModule {
    const providers = [
      { provide: Hosts, useValue: hosts },
      { provide: HostDirectory, useValue: hosts.directory },
      { provide: HostActions, useValue: hosts.actions },
      { provide: HostInvites, useValue: hosts.invites },
    ];
    return { module: HostsModule, controllers: [InfrastructureController], providers, exports: providers };
  }
}
