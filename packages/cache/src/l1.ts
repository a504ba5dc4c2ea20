import { LRUCache } from 'lru-cache';
import { expired, sizeOf, type Entry } from './entry.js';
import { Horizon } from './horizon.js';

export interface L1Options {
  readonly maxBytes: number;
  /** How far the floor is behind the watermark: a fill that comes later than this is not admitted. */
  readonly tombstoneMs?: number;
  /** The invalidations remembered at most. Beyond that (the watermark stands still) the L1 drops everything. */
  readonly maxTombstones?: number;
  /** Milliseconds, monotone. */
  readonly clock?: () => number;
}

/** Where invalidations come from: the orchestrator's events, or the ingest of metrics. Each has its own watermark. */
export type InvalidationSource = 'events' | 'metrics';

interface CachedEntry {
  readonly entry: Entry;
  readonly source: InvalidationSource;
  /** The group of a list or of metrics; null for a single resource. */
  readonly group: string | null;
  /** At the fill every invalidation that could make the entry old was known here: the watermark vouches for it. */
  readonly admitted: boolean;
  /** Bytes in addition to the entry's own; see {@link L1.grew}. */
  readonly extra?: number;
}

interface Tombstone {
  readonly version: number;
  readonly position: bigint;
}

interface ListGeneration {
  readonly source: InvalidationSource;
  readonly position: bigint;
}

const TOMBSTONE_MS = 60_000;
const MAX_TOMBSTONES = 200_000;

/**
 * The cache in the process. Its answer is never older than the token that the reader presents, by these rules:
 *
 * - A fill replaces only an older entry. An invalidation leaves a tombstone with its version and position, outside of
 *   the LRU, until the floor has passed it. A fill that is older than the tombstone is refused, however late it comes.
 * - The watermark W says that every invalidation up to it has been applied here. An entry that was read at or after the
 *   token T answers it. An older entry answers when W is beyond T and the entry was admitted: no newer tombstone is here,
 *   and it was read at or after the floor. The floor is the W of 60 s ago, behind which tombstones are forgotten.
 * - A tenant's lists are old when they were read before its last event: the list generation is that event's position.
 *
 * The ingest of metrics invalidates a VM's metrics, and the orchestrator's events invalidate the rest: each source has
 * its own watermark.
 */
export class L1 {
  readonly #entries: LRUCache<string, CachedEntry>;
  readonly #tombstones = new Map<string, Tombstone>();
  readonly #listGenerations = new Map<string, ListGeneration>();
  readonly #horizons: Readonly<Record<InvalidationSource, Horizon>>;
  /** The latest position that each source has invalidated. */
  readonly #latest: Record<InvalidationSource, bigint> = { events: 0n, metrics: 0n };
  /** Invalidations up to here may be forgotten: an earlier watermark would begin with a floor that is too low. */
  readonly #forgotten: Record<InvalidationSource, bigint> = { events: 0n, metrics: 0n };
  readonly #maxTombstones: number;
  readonly #clock: () => number;
  evictions = 0;
  invalidations = 0;

  constructor(options: L1Options) {
    this.#maxTombstones = options.maxTombstones ?? MAX_TOMBSTONES;
    this.#clock = options.clock ?? (() => performance.now());
    const keepMs = options.tombstoneMs ?? TOMBSTONE_MS;
    this.#horizons = { events: new Horizon(keepMs), metrics: new Horizon(keepMs) };
    this.#entries = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: (held, key) => sizeOf(key, held.entry) + (held.extra ?? 0),
      disposeAfter: (_held, _key, reason) => void (this.evictions += reason === 'evict' ? 1 : 0),
    });
  }

  /**
   * The entry, if it may answer a reader that has observed `token`. `token` null: any entry that no invalidation has
   * reached.
   */
  get(key: string, tenantId: string, token: bigint | null, now = Date.now()): Entry | undefined {
    const held = this.#entries.get(key);
    if (!held || held.entry.tenantId !== tenantId || expired(held.entry, now) || this.#listIsOld(held))
      return undefined;
    if (token === null || held.entry.position >= token) return held.entry;
    const { watermark } = this.#horizons[held.source];
    return watermark !== null && watermark > token && this.#admitted(held) ? held.entry : undefined;
  }

  /** The entry takes this many more bytes, for other forms of its body that live as long as the entry. */
  grew(key: string, entry: Entry, bytes: number): void {
    const held = this.#entries.peek(key);
    if (held?.entry === entry) this.#entries.set(key, { ...held, extra: (held.extra ?? 0) + bytes });
  }

  /** The entry of any age, for readers that accept an old state while the owner is down. */
  peek(key: string, tenantId: string): Entry | undefined {
    const held = this.#entries.peek(key);
    return held?.entry.tenantId === tenantId ? held.entry : undefined;
  }

  /**
   * Keeps the entry unless a newer state is known.
   * @param group of a list or of metrics; null for a single resource
   * @returns whether it was kept
   */
  fill(
    key: string,
    entry: Entry,
    group: string | null = null,
    source: InvalidationSource = 'events',
  ): boolean {
    if (!this.#newerThanKnown(key, entry, group)) return false;
    const { floor } = this.#horizons[source];
    const admitted = floor !== null && entry.position >= floor;
    this.#entries.set(key, { entry, group, source, admitted });
    return true;
  }

  /** The resource under `key` has reached `version`, at `position`. */
  tombstone(key: string, version: number, position: bigint): void {
    this.#latest.events = later(this.#latest.events, position);
    const known = this.#tombstones.get(key);
    this.#tombstones.set(key, {
      version: Math.max(version, known?.version ?? 0),
      position: later(known?.position, position),
    });
    const held = this.#entries.peek(key);
    if (held && olderThan(held.entry, version, position)) {
      this.#entries.delete(key);
      this.invalidations += 1;
    }
    if (this.#tombstones.size > this.#maxTombstones) this.drop();
  }

  /** Position of the latest invalidation that is remembered for the key or its group; null without one. */
  invalidatedAt(key: string, group: string | null): bigint | null {
    const own = this.#tombstones.get(key)?.position;
    const shared = group === null ? undefined : this.#listGenerations.get(group)?.position;
    if (own === undefined) return shared ?? null;
    return later(shared, own);
  }

  /** The group had an event, or new points, at `position`: answers about it that were read before are old. */
  invalidateLists(group: string, position: bigint, source: InvalidationSource = 'events'): void {
    this.#latest[source] = later(this.#latest[source], position);
    this.#listGenerations.set(group, {
      source,
      position: later(this.#listGenerations.get(group)?.position, position),
    });
    if (this.#listGenerations.size > this.#maxTombstones) this.#forgetAllOf(source);
  }

  /** Every invalidation of this source up to `position` has been applied here. */
  advance(position: bigint, source: InvalidationSource = 'events'): void {
    if (position < this.#forgotten[source]) return;
    if (this.#horizons[source].advance(position, this.#clock())) this.#forget(source);
  }

  /** Invalidations of this source may have been missed: its watermark vouches for no entry here. */
  distrust(source: InvalidationSource): void {
    this.#forgotten[source] = this.#latest[source];
    this.#horizons[source].reset();
  }

  /** Invalidations may have been missed: no entry here can be trusted. */
  drop(): void {
    this.#entries.clear();
    this.#tombstones.clear();
    this.#listGenerations.clear();
    this.distrust('events');
    this.distrust('metrics');
  }

  /** Positions are of another lineage from now on: earlier ones do not compare with them. */
  forgetLineage(): void {
    this.drop();
    for (const source of ['events', 'metrics'] as const) {
      this.#latest[source] = 0n;
      this.#forgotten[source] = 0n;
    }
  }

  watermark(source: InvalidationSource = 'events'): bigint | null {
    return this.#horizons[source].watermark;
  }

  /** An entry that was read before it may have been invalidated by a forgotten tombstone. */
  floor(source: InvalidationSource = 'events'): bigint | null {
    return this.#horizons[source].floor;
  }

  /** Whether any entry has not expired. */
  holdsAny(now = Date.now()): boolean {
    for (const { entry } of this.#entries.values()) if (!expired(entry, now)) return true;
    return false;
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  get size(): number {
    return this.#entries.size;
  }

  #newerThanKnown(key: string, entry: Entry, group: string | null): boolean {
    const tombstone = this.#tombstones.get(key);
    if (tombstone && olderThan(entry, tombstone.version, tombstone.position)) return false;
    if (group !== null && entry.position < (this.#listGenerations.get(group)?.position ?? 0n)) return false;
    const held = this.#entries.peek(key)?.entry;
    if (!held || expired(held, Date.now())) return true;
    if (held.version !== null && entry.version !== null && held.version !== entry.version) {
      return held.version < entry.version;
    }
    return held.position <= entry.position;
  }

  /** Too much to remember: the watermark vouches for no entry of this source until it is beyond all of them. */
  #forgetAllOf(source: InvalidationSource): void {
    if (source === 'events') return this.drop();
    for (const [group, { source: from }] of this.#listGenerations)
      if (from === source) this.#listGenerations.delete(group);
    for (const [key, held] of this.#entries.entries()) if (held.source === source) this.#entries.delete(key);
    this.distrust(source);
  }

  /**
   * An invalidation removes a resource, so a resource that is here stays as it was at its fill. A list is only compared
   * with its list generation, which is forgotten at the floor: behind the floor the watermark does not vouch for it.
   */
  #admitted({ entry, group, source, admitted }: CachedEntry): boolean {
    return admitted && (group === null || entry.position >= (this.floor(source) ?? entry.position));
  }

  #listIsOld({ entry, group }: CachedEntry): boolean {
    return group !== null && entry.position < (this.#listGenerations.get(group)?.position ?? 0n);
  }

  /** Entries behind the floor are not admitted, so their tombstones are no longer needed. */
  #forget(source: InvalidationSource): void {
    const floor = this.floor(source);
    if (floor === null) return;
    if (source === 'events') {
      for (const [key, { position }] of this.#tombstones) if (position <= floor) this.#tombstones.delete(key);
    }
    for (const [group, { source: from, position }] of this.#listGenerations) {
      if (from === source && position <= floor) this.#listGenerations.delete(group);
    }
  }
}

function later(a: bigint | undefined, b: bigint): bigint {
  return a !== undefined && a > b ? a : b;
}

/** The version says how new a resource is; the position says it of an absence or an answer without a version. */
function olderThan(entry: Entry, version: number, position: bigint): boolean {
  if (entry.version !== null) return entry.version < version;
  return entry.position < position;
}
