import { RedisUnavailable } from '@novacron/redis/connection';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry } from './entry.js';
import type { L2, L2Lookup, L2Place } from './l2.js';

/** How long another process's load of the same key is waited for, in looks; then it is loaded here too. */
const LOOKS_MS = [3, 6, 12, 24];
/** Nor for longer than this, if Redis is slow to answer each look. */
const PATIENCE_MS = 60;
/** A fill that comes later than this after its load began stays out: tombstones may have been forgotten. */
const LATEST_FILL_MS = 30_000;

/** An entry, or nobody else is loading it: whoever asked may load, and fill as `owner`. */
export type Found = { readonly entry: Entry } | { readonly entry: undefined; readonly owner: string };

const NOTHING: Found = { entry: undefined, owner: '' };

/** L2 as a reader sees it: without Redis it is empty, and it costs bounded time. */
export class SharedLevel {
  constructor(private readonly l2: L2 | null) {}

  /** Looks for an entry; where another process is loading it, waits a moment for that. */
  async find(place: L2Place, tenantId: string, enough: bigint | null): Promise<Found> {
    if (!this.l2) return NOTHING;
    const owner = randomUUID();
    const giveUpAt = performance.now() + PATIENCE_MS;
    for (const ms of [...LOOKS_MS, 0]) {
      const found = await this.#get(place, tenantId, { enough, owner });
      if (!found) return NOTHING;
      if (found.entry) return { entry: found.entry };
      if (found.lease !== 'theirs') return { entry: undefined, owner };
      if (ms === 0 || performance.now() + ms > giveUpAt) break;
      await sleep(ms);
    }
    return NOTHING;
  }

  /** Whatever is there, past its TTL too. */
  async findStale(place: L2Place, tenantId: string): Promise<Entry | undefined> {
    return (await this.#get(place, tenantId, { enough: 'stale' }))?.entry;
  }

  /** Does not wait: nobody's answer depends on it. */
  fill(place: L2Place, entry: Entry, owner: string): void {
    if (!this.l2) return;
    if (Date.now() - entry.filledAt > LATEST_FILL_MS) return;
    this.l2.fill(place, entry, owner).catch(ignoreUnavailable);
  }

  /** The load failed: the next asker need not wait for it. */
  giveUp(place: L2Place, owner: string): void {
    if (owner !== '') this.l2?.release(place, owner).catch(ignoreUnavailable);
  }

  #get(place: L2Place, tenantId: string, lookup: L2Lookup) {
    return this.l2?.get(place, tenantId, lookup).catch(ignoreUnavailable);
  }
}

/** The link counts it, and a cache that is away is merely empty. */
function ignoreUnavailable(error: unknown): undefined {
  if (!(error instanceof RedisUnavailable)) throw error;
}
