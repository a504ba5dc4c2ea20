import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Entry } from './entry.js';
import { WatermarkTracker } from './watermark-tracker.js';
import { L1 } from './l1.js';

const TENANT = 't';
const KEYS = ['a', 'b', 'c'];
const LIST = 'list';

interface Commit {
  readonly key: string;
  readonly version: number;
  /** Where the commit record ends. */
  readonly lsn: bigint;
}

/**
 * A database, its relay and the path to one cache, reduced to the subjects of the rules. The log's flush position grows
 * with every step. A relay round reads it, numbers the committed events, and reads it again for their position.
 */
class World {
  now = 0;
  flush = 100n;
  readonly commits: Commit[] = [];
  readonly versions = new Map(KEYS.map((key) => [key, 1]));
  readonly events: { seq: number; key: string; version: number; position: bigint }[] = [];
  readonly marks: { seq: number; position: bigint }[] = [];
  #numbered = 0;
  readonly l1 = new L1({ maxBytes: 1e6, tombstoneMs: 1_000, clock: () => this.now });
  readonly tracker = new WatermarkTracker({ target: this.l1, gapMs: 200, clock: () => this.now });

  commit(key: string): bigint {
    const version = (this.versions.get(key) ?? 0) + 1;
    this.versions.set(key, version);
    this.flush += 10n;
    this.commits.push({ key, version, lsn: this.flush });
    // The position of a token: it is read after COMMIT returned, perhaps with other records behind it.
    return this.flush;
  }

  relay(): void {
    const before = this.flush;
    const found = this.commits.slice(this.#numbered);
    if (found.length > 0) this.flush += 5n;
    for (const commit of found) {
      this.#numbered += 1;
      this.events.push({
        seq: this.#numbered,
        key: commit.key,
        version: commit.version,
        position: this.flush,
      });
    }
    this.marks.push({ seq: this.#numbered, position: before });
  }

  /** A read from a server that has replayed up to `position`. */
  read(key: string, position: bigint): Entry {
    const seen = this.commits.filter((c) => c.lsn <= position);
    const version = key === LIST ? null : (seen.filter((c) => c.key === key).at(-1)?.version ?? 1);
    // A list's body is how many commits it shows.
    const body = key === LIST ? String(seen.length) : String(version);
    const bytes = Buffer.from(body);
    return {
      bytes,
      version,
      position,
      seen: position,
      tenantId: TENANT,
      status: 200,
      filledAt: this.now,
      ttlMs: Infinity,
    };
  }

  apply(index: number): void {
    const event = this.events[index];
    if (!event) return;
    this.l1.tombstone(event.key, event.version, event.position);
    this.l1.invalidateLists(TENANT, event.position);
    this.tracker.applied(event.seq);
  }

  /** The least that an answer must show to a reader that has observed `token`. */
  atLeast(key: string, token: bigint): number {
    const seen = this.commits.filter((c) => c.lsn <= token);
    return key === LIST ? seen.length : (seen.filter((c) => c.key === key).at(-1)?.version ?? 1);
  }
}

const key = fc.constantFrom(...KEYS, LIST);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('commit' as const), key: fc.constantFrom(...KEYS) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('relay' as const) }) },
  // Delivered late, out of order, twice, or never: which of the latest events.
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), back: fc.nat(4) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('deliver-all' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('mark' as const), back: fc.nat(3) }) },
  // A quiet moment: everything is numbered and delivered, and the watermark follows.
  { weight: 8, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(900) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reconnect' as const) }) },
  // A replica is behind by so much when it is read, and the fill comes so many steps later.
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      key,
      lag: fc.oneof(fc.constant(0), fc.nat(60)),
      fillAfter: fc.nat(6),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('check' as const), key, back: fc.nat(5) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Runs a schedule. @returns the answers that were older than what their readers had observed */
function run(steps: readonly Step[], world = new World()): { stale: string[]; hits: number } {
  const late: { at: number; key: string; entry: Entry }[] = [];
  const tokens: bigint[] = [world.flush];
  const stale: string[] = [];
  let hits = 0;
  steps.forEach((s, i) => {
    world.now += 10;
    for (const fill of late.splice(0)) {
      if (fill.at > i) late.push(fill);
      else world.l1.fill(fill.key, fill.entry, fill.key === LIST ? TENANT : null);
    }
    if (s.do === 'commit') tokens.push(world.commit(s.key));
    if (s.do === 'relay') world.relay();
    if (s.do === 'deliver') world.apply(world.events.length - 1 - s.back);
    if (s.do === 'deliver-all') world.events.forEach((_, index) => world.apply(index));
    if (s.do === 'settle') {
      world.relay();
      world.events.forEach((_, index) => world.apply(index));
      world.tracker.mark(world.marks.at(-1) as { seq: number; position: bigint });
    }
    if (s.do === 'mark') {
      const mark = world.marks.at(-1 - s.back);
      if (mark) world.tracker.mark(mark);
    }
    if (s.do === 'wait') world.now += s.ms;
    if (s.do === 'reconnect') world.tracker.restart();
    if (s.do === 'read')
      late.push({ at: i + s.fillAfter, key: s.key, entry: world.read(s.key, world.flush - BigInt(s.lag)) });
    if (s.do === 'check') {
      const token = tokens.at(-1 - s.back) ?? (tokens[0] as bigint);
      const hit = world.l1.get(s.key, TENANT, token);
      if (hit) {
        hits += 1;
        const shown = Number(hit.bytes.toString());
        if (shown < world.atLeast(s.key, token)) stale.push(`step ${i}: ${s.key} shows ${shown} at ${token}`);
      }
    }
    world.tracker.tick();
  });
  return { stale, hits };
}

describe('with any order of commits, fills, invalidations, losses and watermarks', () => {
  it('no answer is older than what its reader has observed', () => {
    let hits = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 40, maxLength: 150, size: 'max' }), (steps) => {
        const result = run(steps);
        hits += result.hits;
        expect(result.stale).toEqual([]);
      }),
      { numRuns: 3_000 },
    );
    // A cache that never answers would pass as well.
    expect(hits).toBeGreaterThan(5_000);
  });

  it.each<[string, (world: World) => void]>([
    [
      'a delete instead of a tombstone',
      (world) => {
        // Replaces the entry and expires at once: no tombstone is left for a late fill to meet.
        world.l1.tombstone = (k, version) => {
          world.l1.fill(k, { ...world.read(k, world.flush), version, ttlMs: -1 });
        };
      },
    ],
    [
      'a watermark that does not wait for the prefix',
      (world) => {
        world.tracker.mark = (mark) => world.l1.advance(mark.position);
      },
    ],
    [
      'a counter as list generation',
      (world) => {
        let counter = 0n;
        const set = world.l1.invalidateLists.bind(world.l1);
        world.l1.invalidateLists = (group) => set(group, (counter += 1n));
      },
    ],
  ])('%s is detected', (_what, breakIt) => {
    const found = fc.check(
      fc.property(fc.array(step, { minLength: 40, maxLength: 150, size: 'max' }), (steps) => {
        const world = new World();
        breakIt(world);
        return run(steps, world).stale.length === 0;
      }),
      { numRuns: 20_000 },
    );
    expect(found.failed).toBe(true);
  });
});
