import { pause } from '@novacron/async/sleep';
import { RedisUnavailable } from '@novacron/redis/connection';
import { randomUUID } from 'node:crypto';
import type { Entry } from './entry.js';
import type { L2, L2Lookup, L2Place } from './l2.js';

/** The delays between lookups while another process loads the same key. After them this process loads it as well. */
const LOOKUP_DELAYS_MS = [3, 6, 12, 24];
/** The longest wait for another process, when Redis is slow to answer each lookup. */
const MAX_WAIT_MS = 60;
/** A fill that comes later than this after its load began is not sent: its tombstone may have expired. */
const LATEST_FILL_MS = 30_000;

/** An entry; or a miss, after which the caller may load and fill as `owner`. */
export type L2Result = { readonly entry: Entry } | { readonly entry: undefined; readonly owner: string };

const MISS: L2Result = { entry: undefined, owner: '' };

/** L2 as a reader sees it: it costs bounded time, and is empty without Redis. */
export class L2Reader {
  constructor(private readonly l2: L2 | null) {}

  /** Looks an entry up. While another process loads it, waits a moment for that load. */
  async find(place: L2Place, tenantId: string, enough: bigint | null): Promise<L2Result> {
    if (!this.l2) return MISS;
    const owner = randomUUID();
    const deadline = performance.now() + MAX_WAIT_MS;
    for (const ms of [...LOOKUP_DELAYS_MS, 0]) {
      const found = await this.#get(place, tenantId, { enough, owner });
      if (!found) return MISS;
      if (found.entry) return { entry: found.entry };
      if (found.lease !== 'theirs') return { entry: undefined, owner };
      if (ms === 0 || performance.now() + ms > deadline) break;
      await pause(ms);
    }
    return MISS;
  }

  /** The entry of any age, past its TTL too. */
  async findStale(place: L2Place, tenantId: string): Promise<Entry | undefined> {
    return (await this.#get(place, tenantId, { enough: 'stale' }))?.entry;
  }

  /** Does not wait: no answer depends on it. */
  fill(place: L2Place, entry: Entry, owner: string): void {
    if (!this.l2) return;
    if (Date.now() - entry.filledAt > LATEST_FILL_MS) return;
    this.l2.fill(place, entry, owner).catch(ignoreUnavailable);
  }

  /** The load failed: the next reader need not wait for it. */
  releaseLease(place: L2Place, owner: string): void {
    if (owner !== '') this.l2?.release(place, owner).catch(ignoreUnavailable);
  }

  #get(place: L2Place, tenantId: string, lookup: L2Lookup) {
    return this.l2?.get(place, tenantId, lookup).catch(ignoreUnavailable);
  }
}

/** The connection counts the failure; a cache that is away counts as empty. */
function ignoreUnavailable(error: unknown): undefined {
  if (!(error instanceof RedisUnavailable)) throw error;
}
