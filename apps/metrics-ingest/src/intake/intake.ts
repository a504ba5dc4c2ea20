import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { onReconnect } from '@novacron/messaging/connect';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Announcer } from './announcer.js';
import type { BufferLimits } from './buffer.js';
import type { Leases } from './leases.js';
import { Session } from './session.js';
import type { Writer } from './writer.js';

export interface IntakeOptions {
  readonly nc: NatsConnection;
  readonly leases: Leases;
  readonly writer: Writer;
  readonly announcer: Announcer;
  readonly logger: Logger;
  readonly limits?: BufferLimits;
  /** Told whenever this process gets or loses a partition. */
  readonly onOwned?: (partitions: ReadonlySet<number>) => void;
}

const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 2_000;

/**
 * Reads the partitions that this process owns and writes them, from one failure to the next. Whatever fails -
 * a reader, a write, the lease - ends everything: what is buffered is dropped, and all partitions are read again
 * from the positions that Postgres has. So what is stored counts, never what this process believes.
 */
export class Intake {
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #session: Session | undefined;
  #healthy = false;
  #owned: ReadonlySet<number> = new Set();

  constructor(private readonly options: IntakeOptions) {
    // What was under way to this process is lost; JetStream would give it again only after a minute.
    onReconnect(options.nc, () => this.#session?.fail(new Error('the NATS connection was lost')));
  }

  /** Whether it reads at the moment; false while it is being built again. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Milliseconds since JetStream stored the oldest message that is read and not written; 0 when there is none. */
  get lagMs(): number {
    const oldest = this.#session?.oldest;
    return oldest === undefined ? 0 : Math.max(0, Date.now() - oldest);
  }

  get bufferedBytes(): number {
    return this.#session?.bufferedBytes ?? 0;
  }

  /** Messages of the stream, of all partitions, behind the last one that was read. */
  get pending(): number {
    return this.#session?.pending ?? 0;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops reading, lets the write in hand end and gives the partitions back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.options.leases.leave().catch((error: unknown) => {
      this.options.logger.warn({ err: error }, 'the partitions are free only when their leases end');
    });
  }

  async #run(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!this.#stop.signal.aborted) {
      const startedAt = performance.now();
      try {
        await this.#readAndWrite();
      } catch (error) {
        this.options.logger.warn(
          { err: error },
          'the intake ended; beginning again from the stored positions',
        );
      }
      this.#healthy = false;
      this.#tell(new Set());
      if (this.#stop.signal.aborted) return;
      pause = performance.now() - startedAt > 10_000 ? FIRST_PAUSE_MS : Math.min(pause * 2, LAST_PAUSE_MS);
      // An early end of the pause is the stop.
      await sleep(pause, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #readAndWrite(): Promise<void> {
    const { nc } = this.options;
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 });
    const session = new Session(this.options, manager, (owned) => this.#tell(owned));
    const end = () => session.end();
    this.#stop.signal.addEventListener('abort', end, { once: true });
    this.#session = session;
    try {
      await session.run(() => (this.#healthy = true));
    } finally {
      this.#session = undefined;
      this.#stop.signal.removeEventListener('abort', end);
    }
  }

  #tell(owned: ReadonlySet<number>): void {
    this.#owned = owned;
    this.options.onOwned?.(owned);
  }
}
