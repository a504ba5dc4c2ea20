import { LRUCache } from 'lru-cache';
import { expired, sizeOf, type Entry } from './entry.js';
import { Horizon } from './horizon.js';

export interface L1Options {
  readonly maxBytes: number;
  /** How far behind the watermark the floor is: how late a fill may come and still be admitted. */
  readonly tombstoneMs?: number;
  /** Invalidations remembered at most; beyond it (the watermark stands still) everything is dropped. */
  readonly maxTombstones?: number;
  /** Milliseconds, monotone. */
  readonly clock?: () => number;
}

/** Who tells what has become old: the orchestrator's events, or the intake of metrics. Each has a watermark. */
export type Teller = 'events' | 'metrics';

interface Held {
  readonly entry: Entry;
  readonly teller: Teller;
  /** The tenant whose list it is; null for a single resource. */
  readonly group: string | null;
  /** At its fill everything that could make it old was known here: then the watermark speaks for it. */
  readonly admitted: boolean;
  /** Bytes beside the entry's own; see {@link L1.grew}. */
  readonly extra?: number;
}

interface Tombstone {
  readonly version: number;
  readonly position: bigint;
}

interface Generation {
  readonly teller: Teller;
  readonly position: bigint;
}

const TOMBSTONE_MS = 60_000;
const MAX_TOMBSTONES = 200_000;

/**
 * The cache in the process. An answer from it is never older than the token asked for, by these rules:
 *
 * - A fill replaces only what is older. An invalidation leaves a tombstone with its version and position, outside
 *   of the LRU, until the floor has passed it; a fill that is older than the tombstone is refused, however late it
 *   comes.
 * - The watermark W says that every invalidation up to it has been applied here. An entry answers a token T when it
 *   was read at or after T; or when W is beyond T and the entry was admitted: no newer tombstone is here, and it was
 *   read at or after the floor, the W of 60 s ago, behind which tombstones are forgotten.
 * - A tenant's lists are old when they were read before its last event: the generation is that event's position.
 *
 * What a VM's metrics become old by is told by others than what its state does: for each teller there is a watermark.
 */
export class L1 {
  readonly #entries: LRUCache<string, Held>;
  readonly #tombstones = new Map<string, Tombstone>();
  readonly #generations = new Map<string, Generation>();
  readonly #horizons: Readonly<Record<Teller, Horizon>>;
  /** The latest position that each has told of. */
  readonly #heard: Record<Teller, bigint> = { events: 0n, metrics: 0n };
  /** What was told up to here may be forgotten: an earlier watermark would begin with a floor that is too low. */
  readonly #forgotten: Record<Teller, bigint> = { events: 0n, metrics: 0n };
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
   * The entry, if it may answer somebody who has seen `token`. `token` null: any entry that no invalidation
   * has reached.
   */
  get(key: string, tenantId: string, token: bigint | null, now = Date.now()): Entry | undefined {
    const held = this.#entries.get(key);
    if (!held || held.entry.tenantId !== tenantId || expired(held.entry, now) || this.#listIsOld(held))
      return undefined;
    if (token === null || held.entry.position >= token) return held.entry;
    const { watermark } = this.#horizons[held.teller];
    return watermark !== null && watermark > token && this.#admitted(held) ? held.entry : undefined;
  }

  /** The entry takes so many more bytes, for other forms of its body that live as long as it does. */
  grew(key: string, entry: Entry, bytes: number): void {
    const held = this.#entries.peek(key);
    if (held?.entry === entry) this.#entries.set(key, { ...held, extra: (held.extra ?? 0) + bytes });
  }

  /** Whatever is there, for who said that old is good enough while the source is down. */
  peek(key: string, tenantId: string): Entry | undefined {
    const held = this.#entries.peek(key);
    return held?.entry.tenantId === tenantId ? held.entry : undefined;
  }

  /**
   * Keeps the entry unless something newer is known.
   * @param group the tenant whose list this is, or the VM whose metrics; null for a single resource
   * @returns whether it was kept
   */
  fill(key: string, entry: Entry, group: string | null = null, teller: Teller = 'events'): boolean {
    if (!this.#newerThanKnown(key, entry, group)) return false;
    const { floor } = this.#horizons[teller];
    const admitted = floor !== null && entry.position >= floor;
    this.#entries.set(key, { entry, group, teller, admitted });
    return true;
  }

  /** The resource under `key` has reached `version`, at `position`. */
  tombstone(key: string, version: number, position: bigint): void {
    this.#heard.events = later(this.#heard.events, position);
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

  /** Position of the latest invalidation that is remembered for the key or its group; null: there is none. */
  invalidatedAt(key: string, group: string | null): bigint | null {
    const own = this.#tombstones.get(key)?.position;
    const shared = group === null ? undefined : this.#generations.get(group)?.position;
    if (own === undefined) return shared ?? null;
    return later(shared, own);
  }

  /** The group (a tenant) had an event at `position`, or a VM new points: lists read before it are old. */
  invalidateLists(group: string, position: bigint, teller: Teller = 'events'): void {
    this.#heard[teller] = later(this.#heard[teller], position);
    this.#generations.set(group, {
      teller,
      position: later(this.#generations.get(group)?.position, position),
    });
    if (this.#generations.size > this.#maxTombstones) this.#forgetAllOf(teller);
  }

  /** Every invalidation of this teller up to `position` has been applied here. */
  advance(position: bigint, teller: Teller = 'events'): void {
    if (position < this.#forgotten[teller]) return;
    if (this.#horizons[teller].advance(position, this.#clock())) this.#forget(teller);
  }

  /** Invalidations of this teller may have been missed: its watermark speaks for nothing that is here. */
  distrust(teller: Teller): void {
    this.#forgotten[teller] = this.#heard[teller];
    this.#horizons[teller].reset();
  }

  /** Invalidations may have been missed: nothing that is here can be trusted. */
  drop(): void {
    this.#entries.clear();
    this.#tombstones.clear();
    this.#generations.clear();
    this.distrust('events');
    this.distrust('metrics');
  }

  /** Positions are of another history from now on: nothing that was told before compares with them. */
  forgetHistory(): void {
    this.drop();
    for (const teller of ['events', 'metrics'] as const) {
      this.#heard[teller] = 0n;
      this.#forgotten[teller] = 0n;
    }
  }

  watermark(teller: Teller = 'events'): bigint | null {
    return this.#horizons[teller].watermark;
  }

  /** What was read before it may have been invalidated by something that is forgotten. */
  floor(teller: Teller = 'events'): bigint | null {
    return this.#horizons[teller].floor;
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
    if (group !== null && entry.position < (this.#generations.get(group)?.position ?? 0n)) return false;
    const held = this.#entries.peek(key)?.entry;
    if (!held || expired(held, Date.now())) return true;
    if (held.version !== null && entry.version !== null && held.version !== entry.version) {
      return held.version < entry.version;
    }
    return held.position <= entry.position;
  }

  /** Too much to remember: nothing that this teller makes old is vouched for, until its watermark is beyond all. */
  #forgetAllOf(teller: Teller): void {
    if (teller === 'events') return this.drop();
    for (const [group, { teller: by }] of this.#generations)
      if (by === teller) this.#generations.delete(group);
    for (const [key, held] of this.#entries.entries()) if (held.teller === teller) this.#entries.delete(key);
    this.distrust(teller);
  }

  /**
   * What makes a resource old removes it, so it stays as it was at its fill. A list is only compared with its
   * generation, and the floor forgets that: behind the floor nothing speaks for the list.
   */
  #admitted({ entry, group, teller, admitted }: Held): boolean {
    return admitted && (group === null || entry.position >= (this.floor(teller) ?? entry.position));
  }

  #listIsOld({ entry, group }: Held): boolean {
    return group !== null && entry.position < (this.#generations.get(group)?.position ?? 0n);
  }

  /** Behind the floor nothing is admitted that a tombstone could speak against. */
  #forget(teller: Teller): void {
    const floor = this.floor(teller);
    if (floor === null) return;
    if (teller === 'events') {
      for (const [key, { position }] of this.#tombstones) if (position <= floor) this.#tombstones.delete(key);
    }
    for (const [group, { teller: by, position }] of this.#generations) {
      if (by === teller && position <= floor) this.#generations.delete(group);
    }
  }
}

function later(a: bigint | undefined, b: bigint): bigint {
  return a !== undefined && a > b ? a : b;
}

/** A resource is as new as its version says; an absence or a version-less answer as its position says. */
function olderThan(entry: Entry, version: number, position: bigint): boolean {
  if (entry.version !== null) return entry.version < version;
  return entry.position < position;
}
