import type { DomainEvent } from '@novacron/contracts/events';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';

/** What was told of one batch, and how to be done with it. */
export interface Told {
  readonly events: readonly DomainEvent[];
  /** Resolves when L2 has it too. */
  readonly marked: Promise<void>;
  readonly done: () => void;
}

export interface RecorderOptions {
  /** Writes to the ledger; safe to repeat. */
  readonly record: (events: readonly DomainEvent[]) => Promise<void>;
  readonly logger: Logger;
}

/** Events in one statement. */
const MAX_EVENTS = 1_000;
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5_000;

/**
 * Writes what was told into the ledger, behind the telling and in larger batches, so that no cache waits for a disk.
 * Its queue holds what the stream lets go unacknowledged, never more.
 */
export class Recorder {
  #queue: Told[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: unknown;

  constructor(private readonly options: RecorderOptions) {}

  /** Why the last write failed; undefined when it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  add(told: Told): void {
    this.#queue.push(told);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Resolves when everything is written, or when Postgres refused it once more: then it comes again. */
  async settle(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (this.#queue.length > 0) {
      const batch = this.#take();
      try {
        await Promise.all(batch.map(({ marked }) => marked));
        await this.options.record(batch.flatMap(({ events }) => events));
        for (const { done } of batch) done();
        this.#failure = undefined;
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        this.#failure = error;
        this.options.logger.warn({ err: error }, 'what was told is not recorded yet; again');
        if (this.#stopped) return;
        this.#queue = [...batch, ...this.#queue];
        await sleep(pause, undefined, { ref: false });
        pause = Math.min(pause * 2, LAST_PAUSE_MS);
      }
    }
  }

  #take(): Told[] {
    let events = 0;
    let count = 0;
    while (count < this.#queue.length && events < MAX_EVENTS) {
      events += (this.#queue[count] as Told).events.length;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }
}
