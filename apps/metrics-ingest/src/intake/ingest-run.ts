import { jetstream, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';
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
/** So often caches are told up to where they know of all points. */
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
  /** What each owned partition began with. */
  readonly #resumes = new Map<number, Resume>();
  #reading: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** When the oldest message of the write in hand was stored. */
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

  /** Messages of the stream, of all partitions, behind the last one that was read. */
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
      // Before the next write begins: under load there may never be a pause for the loop below.
      await this.#complete();
    }
  }

  async #completeWhileIdle(): Promise<void> {
    while (!this.#ended) {
      await sleep(COMPLETE_MS, undefined, { signal: this.#over.signal }).catch(() => undefined);
      if (this.#writingSince === undefined && !this.#ended) await this.#complete();
    }
  }

  /** Tells caches up to which position they know of all points; without a write in hand, every 100 ms at most. */
  async #complete(): Promise<void> {
    if (performance.now() - this.#completeAt < COMPLETE_MS * 0.9) return;
    this.#completeAt = performance.now();
    const writes = this.#writes;
    try {
      const { partitions, upTo } = await this.options.leases.ownedUpTo();
      // What is written since then may be committed before `upTo` and is not told yet.
      if (writes !== this.#writes || this.#ended) return;
      this.options.announcer.complete(
        partitions.filter((partition) => this.#resumes.has(partition)),
        upTo,
      );
    } catch (error) {
      // Caches ask the owner meanwhile. What is wrong with Postgres, the leases find out.
      this.options.logger.debug({ err: error }, 'caches cannot be told how far they are');
    }
  }

  #write(messages: readonly IntakeMessage[]): Promise<void> {
    const { writer, logger } = this.options;
    const patient = {
      write: (some: readonly IntakeMessage[]) => this.#writeSome(some),
      setAside: (message: IntakeMessage, error: string) => writer.setAside(message, error),
    };
    return writeInHalves(messages, patient, ({ partition, seq, source }, error) =>
      logger.error({ err: error, partition, seq, source }, 'metric message dead-lettered'),
    );
  }

  /** Only a directory that is away for a moment is worth trying the same again. */
  async #writeSome(messages: readonly IntakeMessage[]): Promise<void> {
    for (;;) {
      try {
        return await this.options.writer.write(messages);
      } catch (error) {
        if (!(error instanceof DirectoryUnavailable) || this.#ended) throw error;
        this.options.logger.warn({ err: error }, 'waiting for the orchestrator to say whose VMs these are');
        await sleep(RETRY_LOOKUP_MS, undefined, { signal: this.#over.signal });
      }
    }
  }

  async #renewAlways(): Promise<void> {
    while (!this.#ended) {
      await sleep(RENEW_MS, undefined, { signal: this.#over.signal }).catch(() => undefined);
      if (!this.#ended) await this.#renew();
    }
  }

  /** Keeps the leases; where the share has changed, begins to read anew with what is owned now. */
  async #renew(): Promise<void> {
    const { owned, surplus } = await this.options.leases.renew();
    for (const [partition, { position }] of this.#resumes) {
      // Won back in the same moment it has another fence: somebody may have written in between.
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

  /** Leaves the positions of all partitions where the last write brought them, and nothing buffered. */
  async #stopReading(): Promise<void> {
    this.#reading?.stop.abort();
    // Cleared first to let a reader go that waits for room, which may put one more.
    this.#buffer.clear();
    await this.#reading?.done;
    this.#buffer.clear();
    // A failed write ends the run; here only its end matters.
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
    // Only after the claim: an older state of the stream would seem to have lost what the last owner read.
    const stream = await streamState(this.manager);
    const resumption = new Resumption(this.manager, this.options.leases, stream);
    for (const stored of added) {
      const resume = await resumption.of(stored);
      if (stored.generation > 0 && resume.position.generation !== stored.generation) {
        this.options.logger.warn({ before: stored, now: resume.position }, 'the stream has a new history');
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

  /** Where a partition is now, when something of it was written since it was taken. */
  #sinceThen(resume: Resume): Resume {
    const position = this.options.writer.positionOf(resume.position.partition);
    return position && position.seq > resume.position.seq ? { position, after: 0 } : resume;
  }
}
