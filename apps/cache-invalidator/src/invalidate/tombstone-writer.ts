import type { Change } from '@novacron/cache/change';
import type { L2 } from '@novacron/cache/l2';
import { RedisUnavailable } from '@novacron/redis/connection';

export interface SharedLevelOptions {
  /** One that is patient: who listens does not wait for it. */
  readonly l2: Pick<L2, 'invalidate' | 'available'>;
  /** Changes remembered at most while Redis is away; what comes then is forgotten, and counted. */
  readonly maxOwed?: number;
}

/** An entry of L2 lives 5 min and its tombstone 60 s: what is owed for longer is of no use to anybody. */
const OWED_MS = 300_000;
const MAX_OWED = 50_000;
const RETRY_MS = 250;
/** Changes paid at one time: what Redis does in some milliseconds. */
const INSTALMENT = 500;

interface Debt {
  readonly history: string;
  readonly changes: readonly Change[];
  readonly since: number;
}

/**
 * L2 as the invalidators write it. While Redis is away its debts are kept and paid when it is back; a reader is not
 * harmed meanwhile: an entry without its tombstone has its old position, and answers nobody who has seen later.
 * Only readers who asked for `eventual` get it.
 */
export class SharedLevel {
  readonly #debts: Debt[] = [];
  #owed = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  tombstones = 0;
  forgotten = 0;

  constructor(private readonly options: SharedLevelOptions) {}

  /** Changes that L2 has not been told yet. */
  get owed(): number {
    return this.#owed;
  }

  /** Resolves when L2 has it, or owes it. Never rejects for Redis' sake. */
  async invalidate(history: string, changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    try {
      await this.options.l2.invalidate(history, changes);
      this.tombstones += changes.length;
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
      this.#owe({ history, changes, since: Date.now() });
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  #owe(debt: Debt): void {
    const room = (this.options.maxOwed ?? MAX_OWED) - this.#owed;
    const kept = debt.changes.slice(0, Math.max(0, room));
    this.forgotten += debt.changes.length - kept.length;
    this.#owed += kept.length;
    for (let from = 0; from < kept.length; from += INSTALMENT) {
      this.#debts.push({ ...debt, changes: kept.slice(from, from + INSTALMENT) });
    }
    this.#payLater();
  }

  #payLater(): void {
    if (this.#retry || this.#closed || this.#debts.length === 0) return;
    this.#retry = setTimeout(() => {
      void this.#pay().finally(() => {
        this.#retry = undefined;
        this.#payLater();
      });
    }, RETRY_MS).unref();
  }

  /** One instalment after the other, oldest first, until Redis is away again: its breaker bounds what trying costs. */
  async #pay(): Promise<void> {
    for (let debt = this.#debts[0]; debt && !this.#closed; debt = this.#debts[0]) {
      const { history, changes, since } = debt;
      try {
        if (Date.now() - since < OWED_MS) await this.options.l2.invalidate(history, changes);
      } catch {
        // The link counts it, and what is owed stays owed.
        return;
      }
      this.#debts.shift();
      this.#owed -= changes.length;
      this.tombstones += changes.length;
    }
  }
}
