import { ServiceError } from '@novacron/contracts/errors';
import { groupOf, keyOf } from './change.js';
import { Coherence, type CoherenceOptions } from './coherence.js';
import type { Entry } from './entry.js';
import { L1, type InvalidationSource } from './l1.js';
import { L2Reader } from './l2-reader.js';
import type { L2, L2Place } from './l2.js';
import { RESOURCES, type ResourceType, ttlFor } from './resources.js';
import { SingleFlight } from './single-flight.js';
import { type CacheStats, Counters } from './stats.js';

/** The answer of the owning service. */
export interface Loaded {
  readonly bytes: Buffer;
  readonly version: number | null;
  /** The answer shows everything that was committed up to here (a reply's `holds`, not its `position`). */
  readonly position: bigint;
  /** The answer may show what was committed up to here (a reply's `position`). */
  readonly seen: bigint;
  /** `<systemId>.<timeline>` that the position is of. */
  readonly lineage: string;
  /** 200, or 404 for an absence. Other statuses are errors, which the load throws: they are not kept. */
  readonly status: number;
  readonly servedFrom: 'replica' | 'primary';
}

export interface ReadRequest {
  readonly type: ResourceType;
  readonly tenantId: string;
  /** Of the resource, or a hash of the query. */
  readonly id: string;
  /** Of lists and metrics: the group in the tenant that they become old with; see {@link groupOf}. */
  readonly group?: string;
  /** The answer is never older than this; null: never older than the published watermark. */
  readonly token: bigint | null;
  readonly consistency: 'strong' | 'causal' | 'eventual';
  /**
   * Asks the owning service for an answer that shows everything up to `token` (null: any). Other readers share the
   * load, and it also runs in the background: it must have a deadline of its own.
   */
  readonly load: (token: bigint | null) => Promise<Loaded>;
}

export interface CachedAnswer {
  readonly entry: Entry;
  readonly servedFrom: 'l1' | 'l2' | 'replica' | 'primary';
}

export interface CacheOptions {
  readonly maxBytes: number;
  /** null: this process has no L2. */
  readonly l2: L2 | null;
  readonly rules: CoherenceOptions['rules'];
  /** See L1, milliseconds. */
  readonly tombstoneMs?: number;
  /** Milliseconds, monotone. */
  readonly clock?: () => number;
}

/** Below every position: an `eventual` reader joins any load. */
const ANY = -1n;
/** The shortest time between two refreshes of one entry. */
const REFRESH_PAUSE_MS = 1_000;

/** The reading side of a process: L1, then L2, then one load for all concurrent readers. */
export class Cache {
  readonly #l1: L1;
  readonly #l2: L2 | null;
  readonly #l2Reader: L2Reader;
  readonly #loads = new SingleFlight<CachedAnswer>(({ entry }, token) => entry.position >= token);
  readonly #refreshing = new Set<string>();
  readonly #counters = new Counters();
  /** Takes the invalidators' broadcast. */
  readonly coherence: Coherence;

  constructor(options: CacheOptions) {
    const { maxBytes, rules, ...time } = options;
    this.#l1 = new L1({ maxBytes, ...time });
    this.#l2 = options.l2;
    this.#l2Reader = new L2Reader(options.l2);
    this.coherence = new Coherence({ l1: this.#l1, rules, ...time });
  }

  /** The L1's answer, at once; undefined: use {@link read}, which looks further. This is the path of hot routes. */
  cached(request: ReadRequest): Entry | undefined {
    if (request.consistency === 'strong') return undefined;
    const from = this.#from(request);
    // Before the first watermark this process cannot know what has changed since an entry was read.
    if (from === null && request.consistency === 'causal') return undefined;
    const key = keyOf(request.tenantId, request.type, request.id);
    const now = Date.now();
    const entry = this.#l1.get(key, request.tenantId, from, now);
    if (entry === undefined) return undefined;
    this.#counters.l1 += 1;
    if (now - entry.filledAt >= entry.ttlMs * RESOURCES[request.type].refreshAt)
      this.#refresh(key, request, entry);
    return entry;
  }

  /**
   * @throws what `load` throws, unless the reader accepts an old state and there is one; ServiceError
   * `dependency_down` when the owner's answer is older than the token
   */
  async read(request: ReadRequest): Promise<CachedAnswer> {
    const hit = this.cached(request);
    if (hit) return { entry: hit, servedFrom: 'l1' };
    const answer = await this.#beyondL1(request);
    this.#counters.served(answer.servedFrom);
    return answer;
  }

  /** The entry of this answer takes this many more bytes of the L1: other forms of its body are kept with it. */
  grew(request: ReadRequest, entry: Entry, bytes: number): void {
    this.#l1.grew(keyOf(request.tenantId, request.type, request.id), entry, bytes);
  }

  /** Whether the L1 has answers: they do not need a dependency. */
  servesByItself(): boolean {
    return this.#l1.holdsAny();
  }

  stats(): CacheStats {
    return this.#counters.snapshot(this.#l1, this.#l2, this.coherence, this.#loads.joined);
  }

  async #beyondL1(request: ReadRequest): Promise<CachedAnswer> {
    const place = this.#place(request);
    // A load in flight may have begun before the state that a strong reader must see.
    if (request.consistency === 'strong') return this.#load(place, request, request.token ?? ANY, '');
    const token = this.#floorFor(place, request);
    try {
      return await this.#loads.run(loadKeyOf(place), token, (wanted) => this.#find(place, request, wanted));
    } catch (error) {
      if (request.consistency !== 'eventual' || !isDown(error)) throw error;
      const stale = await this.#stale(place, request.tenantId);
      if (!stale) throw error;
      return stale;
    }
  }

  /** The token that applies to a reader. */
  #from(request: ReadRequest): bigint | null {
    if (request.consistency === 'eventual') return null;
    return request.token ?? this.coherence.published(sourceOf(request));
  }

  /**
   * The token of a load. It includes the latest known invalidation: otherwise the tombstone would refuse a late
   * replica's answer again and again.
   */
  #floorFor(place: Place, request: ReadRequest): bigint {
    const from = this.#from(request) ?? ANY;
    if (request.consistency === 'eventual') return from;
    const changed = this.#l1.invalidatedAt(place.key, place.group);
    return changed !== null && changed > from ? changed : from;
  }

  async #find(place: Place, request: ReadRequest, token: bigint): Promise<CachedAnswer> {
    // A causal reader without a token, in a process before its first watermark, gets the present state: this process
    // cannot judge how old an entry of L2 is.
    const blind = token === ANY && request.consistency !== 'eventual';
    if (place.lineage === '' || blind) return this.#load(place, request, token, '');
    const found = await this.#l2Reader.find(place, request.tenantId, this.#enough(token, place.source));
    if (found.entry === undefined) return this.#load(place, request, token, found.owner);
    const entry = this.#accept(place, found.entry, token);
    return entry ? { entry, servedFrom: 'l2' } : this.#load(place, request, token, '');
  }

  /** The position from which on an entry of L2 may answer: the token, or the L1's floor when W is beyond the token. */
  #enough(token: bigint, source: InvalidationSource): bigint | null {
    if (token === ANY) return null;
    const watermark = this.#l1.watermark(source);
    const floor = this.#l1.floor(source);
    const vouched = watermark !== null && floor !== null && watermark > token && floor < token;
    return vouched ? floor : token;
  }

  /** L2 alone answers only from the token on. Older entries go through the L1, which knows the invalidations. */
  #accept(place: Place, entry: Entry, token: bigint): Entry | undefined {
    if (place.lineage !== this.coherence.lineage) return undefined;
    const kept = this.#l1.fill(place.key, entry, place.group, place.source);
    if (kept && entry.position >= token) return entry;
    return this.#l1.get(place.key, entry.tenantId, token);
  }

  async #load(place: Place, request: ReadRequest, token: bigint, owner: string): Promise<CachedAnswer> {
    const startedAt = Date.now();
    try {
      const loaded = await request.load(token === ANY ? null : token);
      // The primary's state is the newest. Its position was read before, and may be short of the token.
      if (loaded.servedFrom === 'replica' && loaded.position < token) {
        throw new ServiceError('dependency_down', 'No server has caught up with what you have seen', {
          retryAfterMs: 100,
        });
      }
      return { entry: this.#keep(place, request, loaded, startedAt, owner), servedFrom: loaded.servedFrom };
    } catch (error) {
      this.#l2Reader.releaseLease(place, owner);
      throw error;
    }
  }

  #keep(place: Place, request: ReadRequest, loaded: Loaded, startedAt: number, owner: string): Entry {
    const { bytes, version, position, status, lineage } = loaded;
    const ttlMs = ttlFor(RESOURCES[request.type], status);
    const { tenantId } = request;
    const seen = lineage === this.coherence.lineage ? this.#seen(place.key, tenantId, loaded) : loaded.seen;
    const entry: Entry = {
      bytes,
      version,
      position,
      seen,
      tenantId,
      status,
      filledAt: startedAt,
      ttlMs: ttlMs ?? 0,
    };
    // Positions of two lineages do not compare: a load across a promotion is answered, not kept.
    if (ttlMs === null || lineage !== place.lineage) {
      this.#l2Reader.releaseLease(place, owner);
      return entry;
    }
    if (lineage === this.coherence.lineage) this.#l1.fill(place.key, entry, place.group, place.source);
    this.#l2Reader.fill(place, entry, owner);
    return entry;
  }

  /**
   * A version shows nothing that was committed later than the entry that showed it first. The token of a caller that
   * reads the same version repeatedly therefore stays where it was, and the watermark gets beyond it while others write.
   * An answer without a version may have changed and changed back in between: equal bytes prove nothing.
   */
  #seen(key: string, tenantId: string, { version, seen }: Loaded): bigint {
    const before = version === null ? undefined : this.#l1.peek(key, tenantId);
    return before && before.version === version && before.seen < seen ? before.seen : seen;
  }

  /**
   * Loads an entry again that is about to expire, while the old one still answers. The load may fail, or find nothing
   * newer (the primary of an idle database). In both cases the next hits start no other refresh for a moment.
   */
  #refresh(key: string, request: ReadRequest, entry: Entry): void {
    if (this.#refreshing.has(key)) return;
    this.#refreshing.add(key);
    this.#counters.refreshes += 1;
    const place = this.#place(request);
    this.#loads
      .run(loadKeyOf(place), entry.position, (wanted) => this.#load(place, request, wanted, ''))
      .catch(() => void (this.#counters.failedRefreshes += 1))
      .finally(() => setTimeout(() => this.#refreshing.delete(key), REFRESH_PAUSE_MS).unref());
  }

  async #stale(place: Place, tenantId: string): Promise<CachedAnswer | undefined> {
    const here = this.#l1.peek(place.key, tenantId);
    if (here) return this.#counters.stale({ entry: here, servedFrom: 'l1' });
    const entry = await this.#l2Reader.findStale(place, tenantId);
    return entry && this.#counters.stale({ entry, servedFrom: 'l2' });
  }

  #place(request: ReadRequest): Place {
    const { type, tenantId, id, group } = request;
    return {
      source: sourceOf(request),
      lineage: this.coherence.lineage ?? '',
      key: keyOf(tenantId, type, id),
      group: group === undefined ? null : groupOf(tenantId, group),
    };
  }
}

interface Place extends L2Place {
  readonly source: InvalidationSource;
}

/** Tokens of two lineages do not compare, so their readers do not share a load. */
function loadKeyOf({ lineage, key }: Place): string {
  return `${lineage}:${key}`;
}

function sourceOf({ type }: ReadRequest): InvalidationSource {
  return RESOURCES[type].kind === 'metrics' ? 'metrics' : 'events';
}

/** Whether the owner cannot answer; other errors are its answers. */
function isDown(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  return ['dependency_down', 'deadline_exceeded', 'overloaded', 'draining'].includes(error.code);
}
