import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { onReconnect } from '@novacron/messaging/connect';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';
import { BUFFER_LIMITS, IntakeBuffer, type BufferLimits } from './buffer.js';
import { DirectoryUnavailable } from './directory.js';
import type { IntakeMessage } from './incoming.js';
import type { Leases, StoredPosition } from './leases.js';
import { readPartition, resumeAt, streamState, type StreamState } from './reader.js';
import type { Writer } from './writer.js';

export interface IntakeOptions {
  readonly nc: NatsConnection;
  readonly leases: Leases;
  readonly writer: Writer;
  readonly logger: Logger;
  readonly limits?: BufferLimits;
  /** Told whenever this process gets or loses a partition. */
  readonly onOwned?: (partitions: ReadonlySet<number>) => void;
}

const RENEW_MS = 1_000;
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;
const RETRY_LOOKUP_MS = 250;

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
    const over = new AbortController();
    const end = () => over.abort();
    this.#stop.signal.addEventListener('abort', end, { once: true });
    const session = new Session(this.options, jetstream(nc, { timeout: 5_000 }), manager, over, (owned) =>
      this.#tell(owned),
    );
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

interface Reading {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** The intake between two failures. */
class Session {
  readonly #buffer: IntakeBuffer;
  readonly #readings = new Map<number, Reading>();
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(
    private readonly options: IntakeOptions,
    private readonly js: JetStreamClient,
    private readonly manager: JetStreamManager,
    private readonly over: AbortController,
    private readonly tell: (owned: ReadonlySet<number>) => void,
  ) {
    this.#buffer = new IntakeBuffer(options.limits ?? BUFFER_LIMITS, over.signal);
  }

  /** Runs until the signal (resolves) or a failure (rejects with it), and leaves nothing running. */
  async run(ready: () => void): Promise<void> {
    try {
      await this.#renew();
      ready();
      const loops = [this.#writeAll(), this.#renewAlways()].map((loop) =>
        loop.catch((error: unknown) => this.fail(error)),
      );
      await Promise.all(loops);
    } finally {
      this.over.abort();
      await Promise.all([...this.#readings.values()].map(({ done }) => done));
      for (const partition of this.#readings.keys()) this.options.writer.disown(partition);
    }
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  /** Ends the session; {@link run} rejects with the first error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.over.abort();
  }

  async #writeAll(): Promise<void> {
    while (!this.over.signal.aborted) {
      const messages = await this.#buffer.take();
      this.#writing = this.#write(messages);
      await this.#writing;
    }
  }

  /** Only a directory that is away for a moment is worth trying the same again. */
  async #write(messages: readonly IntakeMessage[]): Promise<void> {
    for (;;) {
      try {
        return await this.options.writer.write(messages);
      } catch (error) {
        if (!(error instanceof DirectoryUnavailable) || this.over.signal.aborted) throw error;
        this.options.logger.warn({ err: error }, 'waiting for the orchestrator to say whose VMs these are');
        await sleep(RETRY_LOOKUP_MS, undefined, { signal: this.over.signal });
      }
    }
  }

  async #renewAlways(): Promise<void> {
    while (!this.over.signal.aborted) {
      await sleep(RENEW_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
      if (!this.over.signal.aborted) await this.#renew();
    }
  }

  /** Keeps the leases, begins to read what is new, gives back what is too much. */
  async #renew(): Promise<void> {
    const { owned, surplus } = await this.options.leases.renew();
    for (const lost of this.#readings.keys()) {
      if (!owned.some(({ partition }) => partition === lost))
        throw new Error(`the lease of partition ${lost} was lost`);
    }
    for (const partition of surplus) await this.#giveBack(partition);
    const added = owned.filter(
      ({ partition }) => !this.#readings.has(partition) && !surplus.includes(partition),
    );
    if (added.length > 0) {
      // Only after the claim: an older state of the stream would seem to have lost what the last owner read.
      const stream = await streamState(this.manager);
      await Promise.all(added.map((position) => this.#read(position, stream)));
    }
    if (added.length + surplus.length > 0) {
      this.tell(new Set(this.#readings.keys()));
      this.options.logger.info({ partitions: [...this.#readings.keys()] }, 'metric partitions owned');
    }
  }

  async #read(stored: StoredPosition, stream: StreamState): Promise<void> {
    const resume = await resumeAt(this.manager, this.options.leases, stored, stream);
    if (stored.generation > 0 && resume.position.generation !== stored.generation) {
      this.options.logger.warn({ before: stored, now: resume.position }, 'the stream has a new history');
    }
    this.options.writer.own(resume.position);
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.over.signal]);
    const hand = (message: IntakeMessage) => this.#buffer.put(message);
    const done = readPartition(this.js, this.manager, resume, hand, signal).catch((error: unknown) =>
      this.fail(error),
    );
    this.#readings.set(stored.partition, { stop, done });
  }

  async #giveBack(partition: number): Promise<void> {
    const reading = this.#readings.get(partition);
    reading?.stop.abort();
    this.#buffer.drop(partition);
    await reading?.done;
    this.#buffer.drop(partition);
    // A failed write ends the session; here only its end matters.
    await this.#writing.catch(() => undefined);
    this.#readings.delete(partition);
    this.options.writer.disown(partition);
    await this.options.leases.release([partition]);
  }
}
