import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Cache, type CachedAnswer } from './cache.js';
import { LINEAGE, rules, Source } from './source.harness.js';

let source: Source;
let cache: Cache;

/** The relay's watermark, twice: the first one begins, the second one counts. */
function watermark(lsn = source.flush): void {
  cache.coherence.onWatermark(source.seq, { systemId: '7', timeline: 1, lsn });
}

const tick = () => new Promise((done) => setImmediate(done));

function text({ entry, servedFrom }: CachedAnswer): string {
  return `${entry.bytes.toString()} ${entry.status} ${servedFrom}`;
}

beforeEach(() => {
  source = new Source();
  cache = new Cache({ maxBytes: 1e6, l2: null, rules });
  watermark();
  watermark();
});

describe('a reader', () => {
  it('gets a second answer from memory', async () => {
    expect(text(await cache.read(source.request()))).toBe('v1 200 replica');
    expect(text(await cache.read(source.request()))).toBe('v1 200 l1');
    expect(cache.stats()).toMatchObject({ hits: { l1: 1, l2: 0 }, misses: 1, l1: { entries: 1 } });
  });

  it('with a token never gets an older answer, even before the invalidation arrives', async () => {
    await cache.read(source.request());
    const token = source.write();
    expect(text(await cache.read(source.request()))).toBe('v1 200 l1');
    expect(text(await cache.read(source.request({ token })))).toBe('v2 200 replica');
    expect(text(await cache.read(source.request({ token })))).toBe('v2 200 l1');
  });

  it('with a token gets an answer from the primary when the replica is behind', async () => {
    source.replica = 100n;
    const token = source.write();
    expect(text(await cache.read(source.request({ token })))).toBe('v2 200 primary');
    expect(text(await cache.read(source.request()))).toBe('v2 200 l1');
  });

  it('of the same version keeps its position, however far the log has advanced', async () => {
    const first = (await cache.read(source.request())).entry.seen;
    source.flush += 50n;
    const again = (await cache.read(source.request({ token: source.flush }))).entry;
    expect([again.position > first, again.seen]).toEqual([true, first]);
    const token = source.write();
    expect((await cache.read(source.request({ token }))).entry.seen).toBeGreaterThanOrEqual(token);
  });

  it('of an answer without a version observes the present: it may have changed and changed back', async () => {
    const list = { type: 'vm-list', id: 'all', group: 'vms' } as const;
    const load = async (token: bigint | null) => ({ ...(await source.load(token)), version: null });
    await cache.read(source.request({ ...list, load }));
    source.flush += 50n;
    const again = await cache.read(source.request({ ...list, load, token: source.flush }));
    expect(again.entry.seen).toBe(source.flush);
  });

  it('is asked to retry when a replica answers older than the token', async () => {
    const token = source.write();
    const load = () => new Source().load(null);
    const reading = cache.read(source.request({ token, load }));
    await expect(reading).rejects.toMatchObject({ code: 'dependency_down', retryAfterMs: 100 });
    expect(cache.stats().l1.entries).toBe(0);
  });

  it('without a token gets no answer older than the watermark, even from a late replica', async () => {
    await cache.read(source.request());
    source.replica = 100n;
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    source.flush += 1n;
    watermark();
    expect(text(await cache.read(source.request()))).toBe('v2 200 primary');
    // Messages were lost. The watermark that was published before still applies.
    cache.coherence.onReconnect();
    expect(text(await cache.read(source.request()))).toBe('v2 200 primary');
  });

  it('gets the new state after an invalidation, while the watermark stands and the replica is late', async () => {
    await cache.read(source.request());
    source.replica = 100n;
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    expect(text(await cache.read(source.request()))).toBe('v2 200 primary');
    expect(text(await cache.read(source.request()))).toBe('v2 200 l1');
  });

  it('gets a newer load when the load in flight began before its write', async () => {
    let open = () => {};
    source.gate = new Promise((done) => (open = done));
    const first = cache.read(source.request());
    await tick();
    const token = source.write();
    const second = cache.read(source.request({ token }));
    open();
    expect((await first).entry.version).toBe(1);
    expect((await second).entry.version).toBe(2);
    expect((await cache.read(source.request())).entry.version).toBe(2);
  });

  it('without a token is not answered from memory in a process before its first watermark', async () => {
    const started = new Cache({ maxBytes: 1e6, l2: null, rules });
    started.coherence.setLineage(LINEAGE);
    await started.read(source.request());
    source.write();
    expect(text(await started.read(source.request()))).toBe('v2 200 replica');
    expect(text(await started.read(source.request({ token: 100n })))).toBe('v2 200 l1');
  });

  it('with strong consistency bypasses every level and loads in flight', async () => {
    await cache.read(source.request());
    source.write();
    expect(text(await cache.read(source.request({ consistency: 'strong' })))).toBe('v2 200 replica');
    expect(source.loads).toBe(2);
  });

  it('with eventual consistency gets an old state while the owner is down, and with causal an error', async () => {
    await cache.read(source.request());
    const later = Date.now() + 3_600_000;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
    source.down = true;
    try {
      expect(text(await cache.read(source.request({ consistency: 'eventual' })))).toBe('v1 200 l1');
      await expect(cache.read(source.request())).rejects.toMatchObject({ code: 'dependency_down' });
      expect(cache.stats().staleWhileDown).toBe(1);
    } finally {
      clock.mockRestore();
    }
  });

  it('shares one load with 10,000 concurrent readers of one key', async () => {
    const all = await Promise.all(Array.from({ length: 10_000 }, () => cache.read(source.request())));
    expect(new Set(all.map((a) => a.entry.version))).toEqual(new Set([1]));
    expect(source.loads).toBe(1);
    expect(cache.stats().flightsJoined).toBe(9_999);
  });
});

describe('the cache', () => {
  it('keeps an absence until the event that ends it', async () => {
    source.absent = true;
    expect(text(await cache.read(source.request()))).toBe('v1 404 replica');
    expect(text(await cache.read(source.request()))).toBe('v1 404 l1');
    source.absent = false;
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    expect(text(await cache.read(source.request()))).toBe('v2 200 replica');
  });

  it('does not keep an error', async () => {
    source.down = true;
    await expect(cache.read(source.request())).rejects.toThrow('dependency_down');
    source.down = false;
    expect(text(await cache.read(source.request()))).toBe('v1 200 replica');
  });

  it('answers earlier readers with a load that an invalidation overtook, and does not keep it', async () => {
    let open = () => {};
    source.gate = new Promise((done) => (open = done));
    const first = cache.read(source.request());
    await tick();
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    const second = cache.read(source.request());
    open();
    expect((await second).entry.version).toBe(2);
    expect((await first).entry.version).toBe(1);
    expect((await cache.read(source.request())).entry.version).toBe(2);
  });

  it('refreshes an entry once in the background before it expires', async () => {
    await cache.read(source.request());
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 250_000);
    try {
      source.flush += 5n;
      const hits = await Promise.all(Array.from({ length: 100 }, () => cache.read(source.request())));
      expect(hits.every((hit) => hit.servedFrom === 'l1')).toBe(true);
      await tick();
      expect(cache.cached(source.request())?.position).toBe(105n);
      // A refresh that finds nothing newer is not repeated at every hit.
      await tick();
      for (let i = 0; i < 10; i += 1) cache.cached(source.request());
      expect(source.loads).toBe(2);
      expect(cache.stats().refreshes).toBe(1);
    } finally {
      clock.mockRestore();
    }
  });

  it('does not keep a refresh that an invalidation overtook', async () => {
    await cache.read(source.request());
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 250_000);
    let open = () => {};
    try {
      source.gate = new Promise((done) => (open = done));
      expect(cache.cached(source.request())?.version).toBe(1);
      source.write();
      cache.coherence.onInvalidation(source.invalidation());
      open();
      await tick();
      expect(cache.cached(source.request())).toBeUndefined();
    } finally {
      clock.mockRestore();
    }
  });

  it('does not answer with entries of an earlier timeline', async () => {
    let open = () => {};
    source.gate = new Promise((done) => (open = done));
    const before = cache.read(source.request());
    cache.coherence.onWatermark(1, { systemId: '7', timeline: 2, lsn: 500n });
    open();
    await before;
    expect(cache.coherence.lineage).toBe('7.2');
    expect(cache.cached(source.request())).toBeUndefined();
    // A late message of the old primary does not move it back.
    cache.coherence.onInvalidation({ v: 1, history: LINEAGE, events: [] });
    expect(cache.coherence.lineage).toBe('7.2');
  });

  it('follows a restored database by its watermark, not by events in flight', () => {
    cache.coherence.onInvalidation({ v: 1, history: '8.1', events: [] });
    expect(cache.coherence.lineage).toBe(LINEAGE);
    cache.coherence.onWatermark(1, { systemId: '8', timeline: 1, lsn: 5n });
    expect(cache.coherence.lineage).toBe('8.1');
    // Its positions begin anew, far below all earlier ones.
    cache.coherence.onWatermark(1, { systemId: '8', timeline: 1, lsn: 6n });
    expect(cache.coherence.published('events')).toBe(5n);
    cache.coherence.onInvalidation({ v: 1, history: LINEAGE, events: [] });
    expect(cache.coherence.lineage).toBe('8.1');
  });

  it('does not answer one tenant with the entries of another', async () => {
    await cache.read(source.request());
    expect(cache.cached(source.request({ tenantId: 'other' }))).toBeUndefined();
  });
});
