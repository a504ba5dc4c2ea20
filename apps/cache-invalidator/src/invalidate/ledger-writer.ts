import { Backoff } from '@novacron/async/backoff';
import { sleep } from '@novacron/async/sleep';
import type { DomainEvent } from '@novacron/contracts/events';
import type { Logger } from '@novacron/telemetry/logger';

export interface PublishedBatch {
  readonly events: readonly DomainEvent[];
  /** Resolves when L2 has it too. */
  readonly persisted: Promise<void>;
  /** Called when the batch is in the ledger. */
  readonly done: () => void;
}

export interface LedgerWriterOptions {
  /** Writes to the ledger; safe to repeat. */
  readonly record: (events: readonly DomainEvent[]) => Promise<void>;
  readonly logger: Logger;
}

/** Events in one statement. */
const MAX_EVENTS = 1_000;
const RETRIES = { firstMs: 100, maxMs: 5_000 };

/**
 * Writes published events into the ledger, after the publication and in larger batches, so that no cache waits for a
 * disk. Its queue holds what the stream delivers without an acknowledgement, never more.
 */
export class LedgerWriter {
  #queue: PublishedBatch[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: unknown;

  constructor(private readonly options: LedgerWriterOptions) {}

  /** Why the last write failed; undefined when it succeeded. */
  get failure(): unknown {
    return this.#failure;
  }

  add(batch: PublishedBatch): void {
    this.#queue.push(batch);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when everything is written, or when Postgres refused it once more: then the stream delivers it again. */
  async settle(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(RETRIES);
    while (this.#queue.length > 0) {
      const batches = this.#take();
      try {
        await Promise.all(batches.map(({ persisted }) => persisted));
        await this.options.record(batches.flatMap(({ events }) => events));
        for (const { done } of batches) done();
        this.#failure = undefined;
        backoff.reset();
      } catch (error) {
        this.#failure = error;
        this.options.logger.warn({ err: error }, 'ledger write failed; retrying');
        if (this.#stopped) return;
        this.#queue = [...batches, ...this.#queue];
        await sleep(backoff.next(), { ref: false });
      }
    }
  }

  #take(): PublishedBatch[] {
    let events = 0;
    let count = 0;
    while (count < this.#queue.length && events < MAX_EVENTS) {
      events += (this.#queue[count] as PublishedBatch).events.length;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }
}
