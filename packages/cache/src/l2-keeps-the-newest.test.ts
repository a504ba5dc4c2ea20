import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { useTestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import fc from 'fast-check';
import { createClient } from 'redis';
import type { Change } from './change.js';
import type { Entry } from './entry.js';
import { L2, type L2Place } from './l2.js';

type Servers = Awaited<ReturnType<typeof useTestServers>>;
const lineage = '7.1';
const place: L2Place = { lineage, key: 'ten:vm:a', group: null };
const list: L2Place = { lineage, key: 'ten:vms:all', group: 'ten:vms' };
const BIG = 2n ** 63n;

let servers: Servers;
let url: string;
let a: L2;
let b: L2;

beforeAll(async () => {
  servers = await useTestServers({ redis: true, postgres: false });
  url = servers.redisUrl;
  // A long timeout for slow machines: these tests check what is kept, not how fast.
  a = new L2({ url, timeoutMs: 30_000 });
  b = new L2({ url, timeoutMs: 30_000 });
  await until(() => a.available && b.available);
});
afterEach(() => flush());
afterAll(async () => {
  a.close();
  b.close();
  await servers.stop();
});

async function flush(): Promise<void> {
  const redis = await createClient({ url }).connect();
  await redis.flushAll();
  await redis.close();
}

function entry(version: number | null, position: bigint, extra: Partial<Entry> = {}): Entry {
  const bytes = Buffer.from(`v${version} p${position}`);
  return {
    bytes,
    version,
    position,
    seen: position + 1n,
    tenantId: 'ten',
    status: 200,
    filledAt: Date.now(),
    ttlMs: 60_000,
    ...extra,
  };
}

async function held(at: L2Place, enough: bigint | null = null): Promise<Entry | undefined> {
  return (await a.get(at, 'ten', { enough })).entry;
}

describe('the cache that processes share', () => {
  it('returns bytes, version, position and status exactly, beyond the range of a double', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const full = entry(Number.MAX_SAFE_INTEGER, BIG + 1n, { bytes, status: 404, tenantId: 'tén' });
    await a.fill(place, full);
    expect((await b.get(place, 'tén', { enough: BIG + 1n })).entry).toEqual(full);
    expect((await b.get(place, 'tén', { enough: BIG + 2n })).entry).toBeUndefined();
  });

  it('does not answer another tenant with the same key', async () => {
    await a.fill(place, entry(1, 10n));
    expect((await b.get(place, 'other', { enough: null })).entry).toBeUndefined();
  });

  it('refuses a late fill that is older than an invalidation', async () => {
    const change: Change = { what: 'resource', key: place.key, version: 2, position: BIG + 1n };
    await a.fill(place, entry(1, BIG));
    await b.invalidate(lineage, [change]);
    expect(await held(place)).toBeUndefined();
    expect(await a.fill(place, entry(1, BIG))).toBe(false);
    // An absence has no version: its position decides.
    expect(await a.fill(place, entry(null, BIG, { status: 404 }))).toBe(false);
    expect(await a.fill(place, entry(2, BIG + 1n))).toBe(true);
  });

  it('accepts a list only if it was read at or after the last event of its group', async () => {
    await a.fill(list, entry(null, BIG));
    await b.invalidate(lineage, [{ what: 'group', group: 'ten:vms', position: BIG + 1n }]);
    expect(await held(list)).toBeUndefined();
    expect(await a.fill(list, entry(null, BIG))).toBe(false);
    expect(await a.fill(list, entry(null, BIG + 1n))).toBe(true);
    // A late older event does not move the list generation back.
    await b.invalidate(lineage, [{ what: 'group', group: 'ten:vms', position: 5n }]);
    expect(await a.fill(list, entry(null, BIG))).toBe(false);
  });

  it('answers with an entry past its TTL only when the reader accepts a stale one', async () => {
    const old = entry(1, 10n, { filledAt: Date.now() - 1_000, ttlMs: 500 });
    await a.fill(place, old);
    expect(await held(place)).toBeUndefined();
    expect((await b.get(place, 'ten', { enough: 'stale' })).entry).toEqual(old);
  });

  it('grants the lease of a key to one process until it fills, releases or dies', async () => {
    const ask = (l2: L2, owner: string) => l2.get(place, 'ten', { enough: 10n, owner });
    expect((await ask(a, 'a')).lease).toBe('mine');
    expect((await ask(b, 'b')).lease).toBe('theirs');
    await a.release(place, 'b');
    expect((await ask(b, 'b')).lease).toBe('theirs');
    await a.release(place, 'a');
    expect((await ask(b, 'b')).lease).toBe('mine');
    await b.fill(place, entry(1, 9n), 'b');
    expect((await ask(a, 'a')).lease).toBe('mine');
    await a.fill(place, entry(1, 10n), 'a');
    expect(await ask(b, 'b')).toMatchObject({ lease: 'none', entry: { position: 10n } });
  });

  it('keeps the newest entry when two processes race', async () => {
    for (let round = 0; round < 10; round += 1) {
      const fills = Array.from({ length: 40 }, (_, i) => ({ v: i + 1, by: i % 2 ? a : b }));
      fills.sort(() => Math.random() - 0.5);
      const racing: Promise<unknown>[] = fills.map(({ v, by }) => by.fill(place, entry(v, BigInt(v) * 10n)));
      const change: Change = { what: 'resource', key: place.key, version: 38, position: 380n };
      racing.push(b.invalidate(lineage, [change]), a.invalidate(lineage, [change]));
      await Promise.all(racing);
      expect((await held(place))?.version).toBe(40);
      await flush();
    }
  });

  it('agrees with the model', async () => {
    const version = fc.option(fc.integer({ min: 1, max: 6 }), { nil: null });
    const position = fc.integer({ min: 0, max: 9 }).map((n) => BIG - 5n + BigInt(n));
    const step = fc.oneof(
      fc.record({ do: fc.constant('fill' as const), version, position, listed: fc.boolean() }),
      fc.record({ do: fc.constant('tombstone' as const), version: fc.integer({ min: 1, max: 6 }), position }),
      fc.record({ do: fc.constant('group' as const), position }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        await flush();
        const model = new Model();
        for (const s of steps) {
          const at = { ...place, group: 'ten:vms' };
          if (s.do === 'fill') {
            const one = entry(s.version, s.position);
            const where = s.listed ? at : place;
            expect(await a.fill(where, one)).toBe(model.fill(one, s.listed));
          } else if (s.do === 'tombstone') {
            const { version: v, position: p } = s;
            await b.invalidate(lineage, [{ what: 'resource', key: place.key, version: v, position: p }]);
            model.tombstone(v, p);
          } else {
            await b.invalidate(lineage, [{ what: 'group', group: 'ten:vms', position: s.position }]);
            model.group(s.position);
          }
          expect((await held(place))?.bytes.toString()).toBe(model.held?.bytes.toString());
          const listed = model.held && model.held.position >= model.generation ? model.held : undefined;
          expect((await held(at))?.bytes.toString()).toBe(listed?.bytes.toString());
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** The rules for one key, with exact numbers. */
class Model {
  held: Entry | undefined;
  generation = 0n;
  #version = 0;
  #position = 0n;

  fill(entry: Entry, listed: boolean): boolean {
    if (this.#older(entry, this.#version, this.#position)) return false;
    if (listed && entry.position < this.generation) return false;
    const held = this.held;
    if (held) {
      const versions = held.version !== null && entry.version !== null && held.version !== entry.version;
      const newer = versions
        ? (entry.version as number) > (held.version as number)
        : entry.position >= held.position;
      if (!newer) return false;
    }
    this.held = entry;
    return true;
  }

  tombstone(version: number, position: bigint): void {
    if (this.held && this.#older(this.held, version, position)) this.held = undefined;
    this.#version = Math.max(this.#version, version);
    if (position > this.#position) this.#position = position;
  }

  group(position: bigint): void {
    if (position > this.generation) this.generation = position;
  }

  #older(entry: Entry, version: number, position: bigint): boolean {
    return entry.version === null ? entry.position < position : entry.version < version;
  }
}
