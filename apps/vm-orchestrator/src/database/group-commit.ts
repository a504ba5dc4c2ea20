import { AsyncLocalStorage } from 'node:async_hooks';
import { ServiceError } from '@novacron/contracts/errors';

/** Commits a batch at once. @returns for each item, in order, its result or the error of its refusal */
export type CommitBatch<In, Out> = (batch: readonly In[]) => Promise<readonly (Out | Error)[]>;

interface Waiting<In, Out> {
  readonly item: In;
  readonly resolve: (value: Out) => void;
  readonly reject: (error: unknown) => void;
  /** Runs work in the submitter's trace. */
  readonly within: <T>(work: () => T) => T;
}

/**
 * Group commit: items that arrive while a commit is in flight share the next one. A quiet system commits each
 * item at once, a busy one up to `maxBatch` in one transaction, each admitted or refused alone.
 *
 * Bounded: when `maxWaiting` items wait, `whenFull` makes the error of a new item; nothing is dropped.
 * (The idea is that of DeWitt et al., "Implementation Techniques for Main Memory Database Systems", 1984.)
 */
export class GroupCommit<In, Out> {
  readonly #waiting: Waiting<In, Out>[] = [];
  #running = false;

  constructor(
    private readonly commit: CommitBatch<In, Out>,
    private readonly options: {
      readonly maxBatch: number;
      readonly maxWaiting: number;
      readonly whenFull: () => Error;
      /** Called when no item waits any more. */
      readonly onIdle?: () => void;
    },
  ) {}

  get waiting(): number {
    return this.#waiting.length;
  }

  submit(item: In): Promise<Out> {
    if (this.#waiting.length >= this.options.maxWaiting) return Promise.reject(this.options.whenFull());
    return new Promise<Out>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject, within: AsyncLocalStorage.snapshot() });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Callers that were woken by one read of the socket join the same batch.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.options.maxBatch);
      try {
        // A transaction can be part of one trace only: that of the item that waited longest.
        const [{ within }] = batch as [Waiting<In, Out>, ...Waiting<In, Out>[]];
        const answers = await within(() => this.commit(batch.map((waiting) => waiting.item)));
        batch.forEach((waiting, i) => {
          const answer = answers[i];
          if (answer instanceof Error) waiting.reject(answer);
          else waiting.resolve(answer as Out);
        });
      } catch (error) {
        // A value of one item that the database refuses must not refuse the others.
        if (batch.length > 1 && isRefusal(error)) await this.#each(batch);
        else for (const waiting of batch) waiting.reject(error);
      }
    }
    this.#running = false;
    this.options.onIdle?.();
  }
  async #each(batch: readonly Waiting<In, Out>[]): Promise<void> {
    for (const { item, resolve, reject, within } of batch) {
      try {
        const [answer] = await within(() => this.commit([item]));
        if (answer instanceof Error) reject(answer);
        else resolve(answer as Out);
      } catch (error) {
        reject(error);
      }
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'invalid_request';
}
