import { RedisConnection, type RedisOptions } from '@novacron/redis/connection';
import type { Change } from './change.js';
import type { Entry } from './entry.js';
import { scripts } from './l2-scripts.js';
import { decodeEntry, encodeEntry, wide } from './l2-value.js';

export interface L2Options extends RedisOptions {
  /** How long an invalidation is remembered, milliseconds. */
  readonly tombstoneMs?: number;
}

/** Where an entry is: the lineage of its position, its key, and the group that it becomes old with. */
export interface L2Place {
  readonly lineage: string;
  readonly key: string;
  readonly group: string | null;
}

/** `mine`: load, then fill or release; `theirs`: another process loads it at this moment. */
export type Lease = 'none' | 'mine' | 'theirs';

export interface L2Lookup {
  /** The position from which on an entry answers; null: any that no invalidation has reached; 'stale': of any age. */
  readonly enough: bigint | null | 'stale';
  /** Takes the key's lease under this name when the entry is missing. */
  readonly owner?: string;
}

/**
 * A fill is late by the time from the read of the database to the run of the script in Redis. Caches send no fill later
 * than 30 s after its load began, and its command gives up after 50 ms. A tombstone that lives twice as long meets each
 * of them. A fill that comes even later (from the socket of a server that was stopped for minutes), or that meets a
 * flushed Redis, is an old entry with its old position. It never answers a token beyond that position, and only its
 * position can admit it to an L1.
 */
const TOMBSTONE_MS = 60_000;
/** How long an entry is kept beyond its TTL, for readers that accept an old state while the owner is down. */
const STALE_MS = 300_000;
/** The lease of a process that died ends after this time. */
export const LEASE_MS = 3_000;
/** Changes in one script. Redis serves nothing else meanwhile, about 2 µs for each. */
const BATCH = 100;

/**
 * The cache that processes share. Redis holds only what can be rebuilt: every method may throw RedisUnavailable, within
 * the command's timeout.
 */
export class L2 {
  readonly #redis: RedisConnection;
  readonly #tombstoneMs: string;
  hits = 0;
  misses = 0;
  refused = 0;
  invalidations = 0;

  constructor(options: L2Options) {
    this.#redis = new RedisConnection(options);
    this.#tombstoneMs = String(options.tombstoneMs ?? TOMBSTONE_MS);
  }

  get available(): boolean {
    return this.#redis.available;
  }

  get failures(): number {
    return this.#redis.failures;
  }

  /** The entry, if it is new enough and of this tenant. */
  async get(
    place: L2Place,
    tenantId: string,
    { enough, owner = '' }: L2Lookup,
  ): Promise<{ entry: Entry | undefined; lease: Lease }> {
    const from = enough === 'stale' ? '' : wide(enough ?? 0n);
    const args = [from, owner, String(LEASE_MS), String(Date.now())];
    const keys = [entryKey(place), leaseKey(place), ...listGenerationKeys(place)];
    const reply = await this.#redis.run(scripts.getOrLease, keys, args);
    const [value, lease] = reply as [Buffer | null, number];
    const found = value === null ? undefined : decodeEntry(value);
    const entry = found?.tenantId === tenantId ? found : undefined;
    if (entry) this.hits += 1;
    else this.misses += 1;
    return { entry, lease: lease === 1 ? 'mine' : lease === 2 ? 'theirs' : 'none' };
  }

  /**
   * Keeps the entry unless a newer state is known, and releases the lease.
   * @returns whether it was kept
   */
  async fill(place: L2Place, entry: Entry, owner = ''): Promise<boolean> {
    const keys = [entryKey(place), tombstoneKey(place), leaseKey(place), ...listGenerationKeys(place)];
    const args = [encodeEntry(entry), String(Math.ceil(entry.ttlMs) + STALE_MS), owner];
    const kept = await this.#redis.run(scripts.fill, keys, args);
    if (kept === 0) this.refused += 1;
    return kept === 1;
  }

  async release(place: L2Place, owner: string): Promise<void> {
    await this.#redis.run(scripts.release, [leaseKey(place)], [owner]);
  }

  /** Leaves tombstones and moves list generations. Repeated and reordered changes have the same effect. */
  async invalidate(lineage: string, changes: readonly Change[]): Promise<void> {
    const batches: Promise<unknown>[] = [];
    for (let from = 0; from < changes.length; from += BATCH) {
      const { keys, args } = this.#arguments(lineage, changes.slice(from, from + BATCH));
      batches.push(this.#redis.run(scripts.invalidate, keys, args));
    }
    for (const removed of await Promise.all(batches)) this.invalidations += removed as number;
  }

  close(): void {
    this.#redis.close();
  }

  #arguments(lineage: string, changes: readonly Change[]): { keys: string[]; args: string[] } {
    const keys: string[] = [];
    const args = [this.#tombstoneMs];
    for (const change of changes) {
      if (change.what === 'resource') {
        const place = { lineage, key: change.key };
        keys.push(entryKey(place), tombstoneKey(place));
        args.push(wide(change.version), wide(change.position));
      } else {
        const key = listGenerationKey(lineage, change.group);
        keys.push(key, key);
        args.push('', wide(change.position));
      }
    }
    return { keys, args };
  }
}

type Keyed = Pick<L2Place, 'lineage' | 'key'>;

function entryKey({ lineage, key }: Keyed): string {
  return `${lineage}:${key}`;
}

function tombstoneKey({ lineage, key }: Keyed): string {
  return `${lineage}:${key}~t`;
}

function leaseKey({ lineage, key }: Keyed): string {
  return `${lineage}:${key}~l`;
}

function listGenerationKey(lineage: string, group: string): string {
  return `${lineage}:${group}~g`;
}

function listGenerationKeys({ lineage, group }: L2Place): string[] {
  return group === null ? [] : [listGenerationKey(lineage, group)];
}
