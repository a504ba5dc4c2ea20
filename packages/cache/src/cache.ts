import { ServiceError } from '@novacron/contracts/errors';
import { groupOf, keyOf } from './change.js';
import { Coherence, type CoherenceOptions } from './coherence.js';
import type { Entry } from './entry.js';
import { Flights } from './single-flight.js';
import { L1, type Teller } from './l1.js';
import type { L2, L2Place } from './l2.js';
import { RESOURCES, type ResourceType, ttlFor } from './resources.js';
import { SharedLevel } from './l2-reader.js';
import { type CacheStats, Counters } from './stats.js';

/** What the owning service answered. */
export interface Loaded {
  readonly bytes: Buffer;
  readonly version: number | null;
  /** The answer holds everything up to here (a reply's `holds`, not its `position`). */
  readonly position: bigint;
  /** The answer may show what was committed up to here (a reply's `position`). */
  readonly seen: bigint;
  /** `<systemId>.<timeline>` that the position is of. */
  readonly history: string;
  /** 200, or 404 for an absence; other statuses are errors: throw them, they are not kept. */
  readonly status: number;
  readonly servedFrom: 'replica' | 'primary';
}

export interface ReadRequest {
  readonly type: ResourceType;
  readonly tenantId: string;
  /** Of the resource, or a hash of the query. */
  readonly id: string;
  /** Lists and metrics: what they become old with, in the tenant; see {@link groupOf}. */
  readonly group?: string;
  /** The answer is never older than this; null: than the published watermark. */
  readonly token: bigint | null;
  readonly consistency: 'strong' | 'causal' | 'eventual';
  /**
   * Asks the owning service for an answer that holds everything up to `token` (null: any). It is shared with
   * other askers and also runs in the background: it must bring a deadline of its own.
   */
  readonly load: (token: bigint | null) => Promise<Loaded>;
}

export interface Answer {
  readonly entry: Entry;
  readonly servedFrom: 'l1' | 'l2' | 'replica' | 'primary';
}

export interface CacheOptions {
  readonly maxBytes: number;
  /** null: this process has no L2. */
  readonly l2: L2 | null;
  readonly rules: CoherenceOptions['rules'];
  /** How late a fill of the L1 may come, milliseconds; see L1. */
  readonly tombstoneMs?: number;
  /** Milliseconds, monotone. */
  readonly clock?: () => number;
}

/** Below every position: an `eventual` reader joins any flight. */
const ANY = -1n;
/** Between two refreshes of one entry at least. */
const REFRESH_PAUSE_MS = 1_000;

/** The reading side of a process: L1, then L2, then one load for all who ask. */
export class Cache {
  readonly #l1: L1;
  readonly #l2: L2 | null;
  readonly #shared: SharedLevel;
  readonly #flights = new Flights<Answer>(({ entry }, token) => entry.position >= token);
  readonly #refreshing = new Set<string>();
  readonly #counters = new Counters();
  /** Feed it the invalidators' broadcast. */
  readonly coherence: Coherence;

  constructor(options: CacheOptions) {
    const { maxBytes, rules, ...time } = options;
    this.#l1 = new L1({ maxBytes, ...time });
    this.#l2 = options.l2;
    this.#shared = new SharedLevel(options.l2);
    this.coherence = new Coherence({ l1: this.#l1, rules, ...time });
  }

  /** The L1's answer, at once; undefined: use {@link read}, which looks further. The path of hot routes. */
  cached(request: ReadRequest): Entry | undefined {
    if (request.consistency === 'strong') return undefined;
    const from = this.#from(request);
    // Nothing is published yet: what has changed since an entry was read nobody here could know.
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
   * @throws what `load` throws, unless the reader takes an old state and there is one; ServiceError
   * `dependency_down` when the source answered older than it was asked
   */
  async read(request: ReadRequest): Promise<Answer> {
    const hit = this.cached(request);
    if (hit) return { entry: hit, servedFrom: 'l1' };
    const answer = await this.#beyondL1(request);
    this.#counters.served(answer.servedFrom);
    return answer;
  }

  /** The entry of this answer takes so many more bytes of the L1: other forms of its body are kept with it. */
  grew(request: ReadRequest, entry: Entry, bytes: number): void {
    this.#l1.grew(keyOf(request.tenantId, request.type, request.id), entry, bytes);
  }

  /** Whether the L1 has answers, which need no dependency. */
  servesByItself(): boolean {
    return this.#l1.holdsAny();
  }

  stats(): CacheStats {
    return this.#counters.snapshot(this.#l1, this.#l2, this.coherence, this.#flights.joined);
  }

  async #beyondL1(request: ReadRequest): Promise<Answer> {
    const place = this.#place(request);
    // A flight may have begun before what a strong reader must see.
    if (request.consistency === 'strong') return this.#load(place, request, request.token ?? ANY, '');
    const token = this.#floorFor(place, request);
    try {
      return await this.#flights.run(flightOf(place), token, (wanted) => this.#find(place, request, wanted));
    } catch (error) {
      if (request.consistency !== 'eventual' || !isDown(error)) throw error;
      const stale = await this.#stale(place, request.tenantId);
      if (!stale) throw error;
      return stale;
    }
  }

  /** The token that a reader is held to. */
  #from(request: ReadRequest): bigint | null {
    if (request.consistency === 'eventual') return null;
    return request.token ?? this.coherence.published(tellerOf(request));
  }

  /**
   * What a load must hold: also what is known to have changed, or a late replica's answer would be refused by the
   * tombstone again and again.
   */
  #floorFor(place: Place, request: ReadRequest): bigint {
    const from = this.#from(request) ?? ANY;
    if (request.consistency === 'eventual') return from;
    const changed = this.#l1.invalidatedAt(place.key, place.group);
    return changed !== null && changed > from ? changed : from;
  }

  async #find(place: Place, request: ReadRequest, token: bigint): Promise<Answer> {
    // A causal reader of whom nothing is known, in a process that knows nothing yet, gets what is true now: how
    // old an entry of L2 is could not be judged.
    const blind = token === ANY && request.consistency !== 'eventual';
    if (place.history === '' || blind) return this.#load(place, request, token, '');
    const found = await this.#shared.find(place, request.tenantId, this.#enough(token, place.teller));
    if (found.entry === undefined) return this.#load(place, request, token, found.owner);
    const entry = this.#accept(place, found.entry, token);
    return entry ? { entry, servedFrom: 'l2' } : this.#load(place, request, token, '');
  }

  /** From which position on an entry of L2 may do: at the token, or admitted by the L1 when W is beyond it. */
  #enough(token: bigint, teller: Teller): bigint | null {
    if (token === ANY) return null;
    const watermark = this.#l1.watermark(teller);
    const floor = this.#l1.floor(teller);
    const vouched = watermark !== null && floor !== null && watermark > token && floor < token;
    return vouched ? floor : token;
  }

  /** L2 alone answers only from the token on. What is older goes through the L1, which knows what became old. */
  #accept(place: Place, entry: Entry, token: bigint): Entry | undefined {
    if (place.history !== this.coherence.history) return undefined;
    const kept = this.#l1.fill(place.key, entry, place.group, place.teller);
    if (kept && entry.position >= token) return entry;
    return this.#l1.get(place.key, entry.tenantId, token);
  }

  async #load(place: Place, request: ReadRequest, token: bigint, owner: string): Promise<Answer> {
    const startedAt = Date.now();
    try {
      const loaded = await request.load(token === ANY ? null : token);
      // The primary's state is the newest there is; its position, read before, may be short of the token.
      if (loaded.servedFrom === 'replica' && loaded.position < token) {
        throw new ServiceError('dependency_down', 'No server has caught up with what you have seen', {
          retryAfterMs: 100,
        });
      }
      return { entry: this.#keep(place, request, loaded, startedAt, owner), servedFrom: loaded.servedFrom };
    } catch (error) {
      this.#shared.giveUp(place, owner);
      throw error;
    }
  }

  #keep(place: Place, request: ReadRequest, loaded: Loaded, startedAt: number, owner: string): Entry {
    const { bytes, version, position, status, history } = loaded;
    const ttlMs = ttlFor(RESOURCES[request.type], status);
    const { tenantId } = request;
    const seen = history === this.coherence.history ? this.#seen(place.key, tenantId, loaded) : loaded.seen;
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
    // Positions of two histories do not compare: what was loaded across a promotion is answered, not kept.
    if (ttlMs === null || history !== place.history) {
      this.#shared.giveUp(place, owner);
      return entry;
    }
    if (history === this.coherence.history) this.#l1.fill(place.key, entry, place.group, place.teller);
    this.#shared.fill(place, entry, owner);
    return entry;
  }

  /**
   * A version shows nothing that was committed later than what showed it first. So the token of who reads the same
   * again and again stays where it was, and the watermark gets beyond it, while others write. What has no version may
   * have become something else and back again in between: of that, equal bytes say nothing.
   */
  #seen(key: string, tenantId: string, { version, seen }: Loaded): bigint {
    const before = version === null ? undefined : this.#l1.peek(key, tenantId);
    return before && before.version === version && before.seen < seen ? before.seen : seen;
  }

  /**
   * Loads anew what is about to end, while the old one still answers. When it fails the entry ends; and it may find
   * nothing newer (the primary of an idle database). Either way the next hits leave it alone for a moment.
   */
  #refresh(key: string, request: ReadRequest, entry: Entry): void {
    if (this.#refreshing.has(key)) return;
    this.#refreshing.add(key);
    this.#counters.refreshes += 1;
    const place = this.#place(request);
    this.#flights
      .run(flightOf(place), entry.position, (wanted) => this.#load(place, request, wanted, ''))
      .catch(() => void (this.#counters.failedRefreshes += 1))
      .finally(() => setTimeout(() => this.#refreshing.delete(key), REFRESH_PAUSE_MS).unref());
  }

  async #stale(place: Place, tenantId: string): Promise<Answer | undefined> {
    const here = this.#l1.peek(place.key, tenantId);
    if (here) return this.#counters.stale({ entry: here, servedFrom: 'l1' });
    const entry = await this.#shared.findStale(place, tenantId);
    return entry && this.#counters.stale({ entry, servedFrom: 'l2' });
  }

  #place(request: ReadRequest): Place {
    const { type, tenantId, id, group } = request;
    return {
      teller: tellerOf(request),
      history: this.coherence.history ?? '',
      key: keyOf(tenantId, type, id),
      group: group === undefined ? null : groupOf(tenantId, group),
    };
  }
}

interface Place extends L2Place {
  readonly teller: Teller;
}

/** Tokens of two histories do not compare, so their readers share no load. */
function flightOf({ history, key }: Place): string {
  return `${history}:${key}`;
}

function tellerOf({ type }: ReadRequest): Teller {
  return RESOURCES[type].kind === 'metrics' ? 'metrics' : 'events';
}

/** The source cannot answer; other errors are its answers. */
function isDown(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return false;
  return ['dependency_down', 'deadline_exceeded', 'overloaded', 'draining'].includes(error.code);
}
