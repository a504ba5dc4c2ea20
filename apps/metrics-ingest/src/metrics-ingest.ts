import type { NatsConnection } from '@nats-io/transport-node';
import { isConnected } from '@novacron/messaging/connect';
import { DurableConsumer } from '@novacron/messaging/consumer';
import type { RpcClient } from '@novacron/messaging/rpc-client';
import { EVENTS } from '@novacron/messaging/streams';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { randomUUID } from 'node:crypto';
import { Announcer } from './intake/announcer.js';
import type { BufferLimits } from './intake/buffer.js';
import { Directory } from './intake/directory.js';
import { Intake } from './intake/intake.js';
import { Leases } from './intake/leases.js';
import { locateBy } from './intake/locate.js';
import { followVms } from './intake/vm-events.js';
import { Writer, type WriterParts } from './intake/writer.js';
import { Housekeeping } from './store/housekeeping.js';
import { MetricNames } from './store/metric-names.js';
import { Partitions } from './store/partitions.js';

export interface MetricsIngestParts {
  readonly nc: NatsConnection;
  /** As `metrics_sys`. */
  readonly db: Database;
  readonly rpc: RpcClient;
  readonly logger: Logger;
  readonly retentionMs: number;
  readonly futureMs: number;
  readonly limits?: BufferLimits;
}

/** The partition whose owner also follows the VM events: one process at a time. */
const EVENTS_WITH = 0;

/** Everything of the service that works by itself: intake, directory and housekeeping. */
export class MetricsIngest {
  readonly intake: Intake;
  readonly #housekeeping: Housekeeping;
  readonly #announcer: Announcer;
  #events: DurableConsumer | undefined;
  #eventsStopping: Promise<void> = Promise.resolve();

  constructor(private readonly parts: MetricsIngestParts) {
    const { nc, db, rpc, logger, retentionMs, futureMs, limits } = parts;
    const partitions = new Partitions(db, { retentionMs, futureMs });
    this.#housekeeping = new Housekeeping({ db, partitions, logger, retentionMs });
    const directory = new Directory({ db, locate: locateBy(rpc) });
    const announcer = new Announcer({
      publish: (subject, message) => nc.publish(subject, message),
      connected: () => isConnected(nc),
    });
    this.#announcer = announcer;
    const onStored: WriterParts['onStored'] = (series, position) => announcer.add(series, position);
    const writer = new Writer({ db, directory, partitions, names: new MetricNames(db), onStored });
    const leases = new Leases(db, randomUUID());
    const onOwned = (owned: ReadonlySet<number>) => this.#follow(owned.has(EVENTS_WITH));
    this.intake = new Intake({
      nc,
      leases,
      writer,
      announcer,
      logger,
      onOwned,
      ...(limits ? { limits } : {}),
    });
  }

  start(): void {
    this.#housekeeping.start();
    this.intake.start();
  }

  /** Stops reading; what was read and not written comes again to the next owner. */
  async stop(): Promise<void> {
    await this.intake.stop();
    this.#announcer.close();
    this.#follow(false);
    await this.#eventsStopping;
    await this.#housekeeping.stop();
  }

  #follow(wanted: boolean): void {
    if (!wanted) {
      const events = this.#events;
      this.#events = undefined;
      if (events)
        this.#eventsStopping = Promise.all([this.#eventsStopping, events.stop()]).then(() => undefined);
      return;
    }
    if (this.#events) return;
    const { nc, db, logger } = this.parts;
    this.#events = new DurableConsumer({
      nc,
      stream: EVENTS,
      durable: 'metrics-vms',
      filterSubject: 'events.*.vm.*',
      handle: followVms(db, logger),
      maxBatch: 256,
      maxAckPending: 1_024,
      logger,
    });
    this.#events.start();
  }
}
