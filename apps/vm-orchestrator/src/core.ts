import { randomUUID } from 'node:crypto';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { JobId } from '@novacron/contracts/ids';
import { Relay } from '@novacron/outbox/relay';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from './database/clock.js';
import type { OrchestratorConfig } from './config.js';
import { Drainer } from './drain/drainer.js';
import { HostLink } from './hosts/host-link.js';
import { Hosts } from './hosts/hosts.module.js';
import { putImages } from './hosts/image-catalogue.js';
import { WAKE } from './jobs/claim.js';
import { Dispatcher } from './jobs/dispatcher.js';
import { HostCommands } from './jobs/host-commands.js';
import { Liveness } from './jobs/liveness.js';
import type { Claim } from './jobs/operation.js';
import { Worker } from './jobs/worker.js';
import { Placer } from './placement/placer.js';
import { HostSnapshot } from './hosts/snapshot.js';
import { countSetAside } from './outbox/set-aside.js';
import { Actor } from './admission/act.js';
import { Admission } from './admission/admission.js';
import { Catalog } from './admission/catalog.js';
import { Creator } from './admission/create.js';
import { Restarts } from './restarts/restarts.js';

export interface CorePorts {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  /** As `orchestrator_api`: what serves a tenant's request. */
  readonly api: Database;
  /** As `orchestrator_sys`: workers, relay, resync. */
  readonly sys: Database;
  readonly config: Pick<OrchestratorConfig, 'jobs' | 'quota' | 'hosts'>;
  readonly logger: Logger;
}

/** The orchestrator put together: who creates and acts, who works, who places, who tells the others. */
export class Core {
  readonly api: Database;
  readonly sys: Database;
  readonly config: CorePorts['config'];
  readonly hosts: HostSnapshot;
  readonly link: HostLink;
  readonly hostsSide: Hosts;
  readonly relay: Relay;
  readonly worker: Worker;
  readonly dispatcher: Dispatcher;
  readonly liveness: Liveness;
  readonly admission: Admission;
  readonly creator: Creator;
  readonly actor: Actor;
  readonly drainer: Drainer;
  readonly restarts: Restarts;

  constructor({ nc, js, api, sys, config, logger }: CorePorts) {
    this.api = api;
    this.sys = sys;
    this.config = config;
    this.hosts = new HostSnapshot(sys, logger);
    this.link = new HostLink(nc, this.hosts, logger);
    this.relay = new Relay({
      database: sys,
      nc,
      js,
      service: 'orchestrator',
      log: logger,
      onSetAside: countSetAside,
    });
    this.hostsSide = new Hosts({
      nc,
      sys,
      api,
      snapshot: this.hosts,
      link: this.link,
      log: logger,
      admission: config.hosts,
      onEnded: (_host, commandId) => this.#wake([commandId.split(':', 1)[0] as JobId]),
      wakeJobs: (jobIds) => this.#wake(jobIds),
    });
    const commands = new HostCommands(this.link, this.hosts, config.jobs.commandTimeoutMs);
    this.dispatcher = new Dispatcher(sys, () => this.worker, logger);
    this.worker = new Worker(
      sys,
      { commands, placer: new Placer(this.hosts), logger, now: databaseNow },
      () => this.hosts.refresh(),
      {
        owner: randomUUID(),
        slots: config.jobs.slots,
        onCommit: () => this.relay.wake(),
        onFree: (ms) => this.dispatcher.freed(ms),
      },
    );
    this.liveness = new Liveness(sys, this.worker.options.owner, () => this.dispatcher.wake(0), logger);
    this.admission = new Admission(
      sys,
      () => this.worker,
      config.jobs.maxLive,
      (error) => logger.warn({ err: error }, 'the jobs in progress could not be counted'),
    );
    const restarted = () => {
      this.relay.wake();
      this.dispatcher.wake(0);
    };
    this.restarts = new Restarts(sys, restarted, logger);
    const catalog = new Catalog(this.hosts);
    const onCommitted = (claims: readonly Claim[]) => this.#born(claims);
    this.creator = new Creator({
      db: api,
      catalog,
      admission: this.admission,
      quotaDefaults: config.quota,
      onCommitted,
    });
    this.drainer = new Drainer({
      db: sys,
      snapshot: this.hosts,
      cleanups: this.hostsSide.cleanups,
      log: logger,
      onJobs: () => {
        this.dispatcher.backlog();
        this.relay.wake();
      },
    });
    this.actor = new Actor({
      db: api,
      hosts: this.hosts,
      admission: this.admission,
      quotaDefaults: config.quota,
      onCommitted,
    });
  }

  /** Everything without which a request would be refused that another instance could have served. */
  async load(): Promise<void> {
    await putImages(this.sys, this.config.hosts.images);
    await this.hosts.refresh();
    await this.liveness.beat();
    await this.admission.count();
  }

  async start(): Promise<void> {
    await this.liveness.start();
    this.hosts.start();
    this.admission.start();
    this.relay.start();
    this.dispatcher.start();
    this.hostsSide.start();
    this.drainer.start();
    this.restarts.start();
  }

  /** Takes no new job and resolves when the steps in flight are committed. */
  async drain(): Promise<void> {
    await this.drainer.stop();
    await this.restarts.stop();
    await this.hostsSide.stop();
    this.dispatcher.stop();
    this.admission.stop();
    await this.worker.drain();
    await this.liveness.stop();
    this.hosts.stop();
  }

  /** What these jobs wait for has come. */
  async #wake(jobIds: readonly JobId[]): Promise<void> {
    await this.sys.primary.batch({}, [{ statement: WAKE, params: [jobIds] }]);
    this.dispatcher.wake(0);
  }

  /** Jobs that were just committed: this process works on those that it holds. */
  #born(claims: readonly Claim[]): void {
    const mine = claims.filter((claim) => claim.job.lease_owner !== null);
    if (mine.length < claims.length) this.dispatcher.backlog();
    this.worker.adopt(mine);
    this.relay.wake();
  }
}
