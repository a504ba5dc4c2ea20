import { jetstream, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { retry } from '@novacron/async/retry';
import { pause } from '@novacron/async/sleep';
import type { Logger } from '@novacron/telemetry/logger';
import { BUFFER_LIMITS, IntakeBuffer } from './buffer.js';
import { DirectoryUnavailable } from '../vms/directory.js';
import type { Announcer } from './announcer.js';
import { writeInHalves } from './halving.js';
import type { IntakeMessage } from './incoming.js';
import type { Leases, StoredPosition } from './leases.js';
import { readPartitions } from './reader.js';
import { Resumption, streamState, type Resume } from './resume.js';
import type { Writer } from './writer.js';

const RENEW_MS = 1_000;
const RETRY_LOOKUP_MS = 250;
/** How often caches learn up to which position every point is announced. */
const COMPLETE_MS = 100;

export interface IngestRunOptions {
  readonly nc: NatsConnection;
  readonly leases: Leases;
  readonly writer: Writer;
  readonly announcer: Announcer;
  readonly logger: Logger;
}

/** The work of an ingester between two failures: one reader, one writer, the leases. */
export class IngestRun {
  readonly #js: JetStreamClient;
  readonly #over = new AbortController();
  readonly #buffer: IntakeBuffer;
  /** The position at which each owned partition began. */
  readonly #resumes = new Map<number, Resume>();
  #reading: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** When JetStream stored the oldest message of the current write. */
  #writingSince: number | undefined;
  #pending = 0;
  #writes = 0;
  #completeAt = -Infinity;
  #failure: unknown;

  constructor(
    private readonly options: IngestRunOptions,
    private readonly manager: JetStreamManager,
    private readonly onOwned: (owned: ReadonlySet<number>) => void,
  ) {
    this.#js = jetstream(options.nc, { timeout: 5_000 });
    this.#buffer = new IntakeBuffer(BUFFER_LIMITS, this.#over.signal);
  }

  /** When JetStream stored the oldest message that is read and not written. */
  get oldest(): number | undefined {
    return this.#writingSince ?? this.#buffer.oldest;
  }

  get bufferedBytes(): number {
    return this.#buffer.bytes;
  }

  /** Messages of all partitions in the stream behind the last one that was read. */
  get pending(): number {
    return this.#pending;
  }

  /** Runs until {@link end} (resolves) or a failure (rejects with it), and leaves nothing running. */
  async run(ready: () => void): Promise<void> {
    this.options.announcer.restart();
    try {
      await this.#renew();
      ready();
      const loops = [this.#writeAll(), this.#renewAlways(), this.#completeWhileIdle()];
      await Promise.all(loops.map((loop) => loop.catch((error: unknown) => this.fail(error))));
    } finally {
      this.end();
      await this.#reading?.done;
      for (const partition of this.#resumes.keys()) this.options.writer.disown(partition);
    }
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  end(): void {
    this.#over.abort();
  }

  /** Ends the run; {@link run} rejects with the first error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.end();
  }

  get #ended(): boolean {
    return this.#over.signal.aborted;
  }

  async #writeAll(): Promise<void> {
    while (!this.#ended) {
      const messages = await this.#buffer.take();
      this.#writes += 1;
      this.#writingSince = messages[0]?.storedAt;
      this.#writing = this.#write(messages);
      await this.#writing;
      this.#writingSince = undefined;
      // Before the next write: under load the loop below may never find a pause.
      await this.#complete();
    }
  }

  async #completeWhileIdle(): Promise<void> {
    while (!this.#ended) {
      await pause(COMPLETE_MS, { signal: this.#over.signal });
      if (this.#writingSince === undefined && !this.#ended) await this.#complete();
    }
  }

  /** Announces up to which position every point is announced; between writes at most every 100 ms. */
  async #complete(): Promise<void> {
    if (performance.now() - this.#completeAt < COMPLETE_MS * 0.9) return;
    this.#completeAt = performance.now();
    const writes = this.#writes;
    try {
      const { partitions, upTo } = await this.options.leases.ownedUpTo();
      // A newer write may have committed before `upTo` without an announcement.
      if (writes !== this.#writes || this.#ended) return;
      this.options.announcer.complete(
        partitions.filter((partition) => this.#resumes.has(partition)),
        upTo,
      );
    } catch (error) {
      // Caches read from the owner meanwhile. The lease renewal handles errors of Postgres.
      this.options.logger.debug({ err: error }, 'completeness announcement failed');
    }
  }

  #write(messages: readonly IntakeMessage[]): Promise<void> {
    const { writer, logger } = this.options;
    const retrying = {
      write: (some: readonly IntakeMessage[]) => this.#writeSome(some),
      deadLetter: (message: IntakeMessage, error: string) => writer.deadLetter(message, error),
    };
    return writeInHalves(messages, retrying, ({ partition, seq, source }, error) =>
      logger.error({ err: error, partition, seq, source }, 'metric message dead-lettered'),
    );
  }

  /** Retries the same messages only while the directory is unavailable. */
  #writeSome(messages: readonly IntakeMessage[]): Promise<void> {
    return retry(() => this.options.writer.write(messages), {
      firstMs: RETRY_LOOKUP_MS,
      maxMs: RETRY_LOOKUP_MS,
      signal: this.#over.signal,
      retryIf: (error) => error instanceof DirectoryUnavailable && !this.#ended,
      onRetry: (err) => this.options.logger.warn({ err }, 'VM lookup failed; retrying'),
    });
  }

  async #renewAlways(): Promise<void> {
    while (!this.#ended) {
      await pause(RENEW_MS, { signal: this.#over.signal });
      if (!this.#ended) await this.#renew();
    }
  }

  /** Renews the leases. When the share has changed, restarts reading with the partitions owned now. */
  async #renew(): Promise<void> {
    const { owned, surplus } = await this.options.leases.renew();
    for (const [partition, { position }] of this.#resumes) {
      // A lease lost and taken again has another fence: another process may have written in between.
      if (!owned.some((one) => one.partition === partition && one.fence === position.fence)) {
        throw new Error(`the lease of partition ${partition} was lost`);
      }
    }
    const added = owned.filter(
      ({ partition }) => !this.#resumes.has(partition) && !surplus.includes(partition),
    );
    if (added.length + surplus.length === 0) return;
    await this.#stopReading();
    this.options.announcer.restart();
    await this.#giveBack(surplus);
    await this.#take(added);
    this.#read();
    this.onOwned(new Set(this.#resumes.keys()));
    this.options.logger.info({ partitions: [...this.#resumes.keys()] }, 'metric partitions owned');
  }

  /** Stops reading, waits for the last write, and empties the buffer. */
  async #stopReading(): Promise<void> {
    this.#reading?.stop.abort();
    // Cleared first to release a reader that waits for room, which may add one more message.
    this.#buffer.clear();
    await this.#reading?.done;
    this.#buffer.clear();
    // A failed write ends the run elsewhere; here only its end matters.
    await this.#writing.catch(() => undefined);
  }

  async #giveBack(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      this.#resumes.delete(partition);
      this.options.writer.disown(partition);
    }
    await this.options.leases.release(partitions);
  }

  async #take(added: readonly StoredPosition[]): Promise<void> {
    if (added.length === 0) return;
    // Read after the lease was taken: in an older state the messages of the last owner would seem lost.
    const stream = await streamState(this.manager);
    const resumption = new Resumption(this.manager, this.options.leases, stream);
    for (const stored of added) {
      const resume = await resumption.of(stored);
      if (stored.streamGeneration > 0 && resume.position.streamGeneration !== stored.streamGeneration) {
        this.options.logger.warn({ before: stored, now: resume.position }, 'stream generation changed');
      }
      this.options.writer.own(resume.position);
      this.#resumes.set(stored.partition, resume);
    }
  }

  #read(): void {
    const resumes = [...this.#resumes.values()].map((resume) => this.#sinceThen(resume));
    if (resumes.length === 0) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#over.signal]);
    const hand = (message: IntakeMessage) => {
      this.#pending = message.pending;
      return this.#buffer.put(message);
    };
    const done = readPartitions(this.#js, this.manager, resumes, hand, signal).catch((error: unknown) =>
      this.fail(error),
    );
    this.#reading = { stop, done };
  }

  /** The partition's current position, if this process has written messages of it. */
  #sinceThen(resume: Resume): Resume {
    const position = this.options.writer.positionOf(resume.position.partition);
    return position && position.seq > resume.position.seq ? { position, after: 0 } : resume;
  }
}
