import { Module, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { VmsModule } from '../vms/vms.module.js';
import { ClockSkew } from './clock-skew.js';
import { HostConditions } from './conditions.js';
import { ConsoleLogs } from './console-logs.js';
import { DownDetector } from './down-detector.js';
import { HeartbeatContents } from './heartbeat-contents.js';
import { Heartbeats } from './heartbeats.js';
import { HostDirectory } from './host-directory.js';
import { HostLink } from './host-link.js';
import { HostResources } from './host-resources.js';
import { ImageCatalogue } from './image-catalogue.js';
import { exportHostMetrics } from './metrics.js';
import { Registration } from './registration.js';
import { HostSettings } from './settings.js';
import { HostSnapshot } from './snapshot.js';
import { UnreachableVms } from './unreachable-vms.js';

const EXPORTED = [
  ConsoleLogs,
  Heartbeats,
  HostConditions,
  HostDirectory,
  HostLink,
  HostSnapshot,
  Registration,
  UnreachableVms,
];

/** Hosts: registration, heartbeats, the view of all hosts, and the detection of lost ones. */
@Module({
  imports: [VmsModule],
  providers: [...EXPORTED, ClockSkew, DownDetector, HeartbeatContents, HostResources, ImageCatalogue],
  exports: EXPORTED,
})
export class HostsModule implements OnModuleInit, OnApplicationBootstrap {
  constructor(
    private readonly snapshot: HostSnapshot,
    private readonly heartbeats: Heartbeats,
    private readonly downDetector: DownDetector,
    private readonly settings: HostSettings,
    private readonly drain: DrainCoordinator,
  ) {}

  /** Loads the hosts: without them a request would be refused that another instance could serve. */
  async onModuleInit(): Promise<void> {
    await this.snapshot.refresh();
  }

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'hosts', () => this.#stop());
    // A process that is about to receive no heartbeats must not judge whether hosts are reachable.
    this.drain.signal.addEventListener('abort', () => void this.downDetector.stop());
    this.snapshot.start(this.settings.snapshotMs);
    this.heartbeats.start();
    this.downDetector.start();
    exportHostMetrics(this.snapshot);
  }

  async #stop(): Promise<void> {
    await this.downDetector.stop();
    await this.heartbeats.stop();
    await this.snapshot.stop();
  }
}
