import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Injectable } from '@nestjs/common';
import { Backoff } from '@novacron/async/backoff';
import { pause } from '@novacron/async/sleep';
import { onReconnect } from '@novacron/messaging/connect';
import { Nats, ServiceLogger } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { VmEvents } from '../vms/vm-events.js';
import { Announcer } from './announcer.js';
import { IngestRun } from './ingest-run.js';
import { Leases } from './leases.js';
import { Writer } from './writer.js';

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 2_000;
/** After a run of this length the pause is short again. */
const LONG_RUN_MS = 10_000;

/** The partition whose owner also reads the VM events: one process at a time. */
const EVENTS_WITH = 0;

/**
 * Reads the partitions that this process owns and writes them, in one {@link IngestRun} after the other. Any failure
 * of a reader, a write or the lease ends the run: its buffer is dropped, and all partitions are read again from the
 * positions that Postgres has. So stored positions count, and never the memory of this process.
 */
@Injectable()
export class Ingester {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #run: IngestRun | undefined;
  #healthy = false;
  #owned: ReadonlySet<number> = new Set();

  constructor(
    @Nats() private readonly nc: NatsConnection,
    private readonly leases: Leases,
    private readonly writer: Writer,
    private readonly announcer: Announcer,
    private readonly vmEvents: VmEvents,
    @ServiceLogger() private readonly logger: Logger,
  ) {
    // Messages under way to this process are lost; JetStream would deliver them again only after a minute.
    onReconnect(nc, () => this.#run?.fail(new Error('the NATS connection was lost')));
  }

  /** Whether it reads now; false between two runs. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Milliseconds since JetStream stored the oldest message that is read but not written; 0 without such a message. */
  get lagMs(): number {
    const oldest = this.#run?.oldest;
    return oldest === undefined ? 0 : Math.max(0, Date.now() - oldest);
  }

  get bufferedBytes(): number {
    return this.#run?.bufferedBytes ?? 0;
  }

  /** Messages of all partitions in the stream behind the last one that was read. */
  get pending(): number {
    return this.#run?.pending ?? 0;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  start(): void {
    this.#running ??= this.#runUntilStopped();
  }

  /** Stops reading, waits for the current write, and releases the partitions. Unwritten messages go to the next owner. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.leases.leave().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'partition lease release failed');
    });
    this.announcer.close();
    await this.vmEvents.stop();
  }

  async #runUntilStopped(): Promise<void> {
    const backoff = new Backoff({ firstMs: FIRST_PAUSE_MS, maxMs: LAST_PAUSE_MS });
    while (!this.#stop.signal.aborted) {
      const startedAt = performance.now();
      try {
        await this.#readAndWrite();
      } catch (error) {
        this.logger.warn({ err: error }, 'ingest run failed; resuming from the stored positions');
      }
      this.#healthy = false;
      this.#own(new Set());
      if (this.#stop.signal.aborted) return;
      if (performance.now() - startedAt > LONG_RUN_MS) backoff.reset();
      // Only the stop ends the pause early.
      await pause(backoff.next(), { signal: this.#stop.signal });
    }
  }

  async #readAndWrite(): Promise<void> {
    const { nc, leases, writer, announcer, logger } = this;
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 });
    const run = new IngestRun({ nc, leases, writer, announcer, logger }, manager, (owned) =>
      this.#own(owned),
    );
    const end = () => run.end();
    this.#stop.signal.addEventListener('abort', end, { once: true });
    this.#run = run;
    try {
      await run.run(() => (this.#healthy = true));
    } finally {
      this.#run = undefined;
      this.#stop.signal.removeEventListener('abort', end);
    }
  }

  #own(partitions: ReadonlySet<number>): void {
    this.#owned = partitions;
    this.vmEvents.read(partitions.has(EVENTS_WITH));
  }
}
