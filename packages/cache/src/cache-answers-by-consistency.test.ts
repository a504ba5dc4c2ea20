import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Cache, type Answer } from './cache.js';
import { HISTORY, rules, Source } from './source.fixture.js';

let source: Source;
let cache: Cache;

/** The relay's watermark, twice: the first one begins, the second one counts. */
function watermark(lsn = source.flush): void {
  cache.coherence.onWatermark(source.seq, { systemId: '7', timeline: 1, lsn });
}

const tick = () => new Promise((done) => setImmediate(done));

function text({ entry, servedFrom }: Answer): string {
  return `${entry.bytes.toString()} ${entry.status} ${servedFrom}`;
}

beforeEach(() => {
  source = new Source();
  cache = new Cache({ maxBytes: 1e6, l2: null, rules });
  watermark();
  watermark();
});

describe('a reader', () => {
  it('gets from memory what was loaded before', async () => {
    expect(text(await cache.read(source.request()))).toBe('v1 200 replica');
    expect(text(await cache.read(source.request()))).toBe('v1 200 l1');
    expect(cache.stats()).toMatchObject({ hits: { l1: 1, l2: 0 }, misses: 1, l1: { entries: 1 } });
  });

  it('with a token never gets what is older, though no invalidation has come', async () => {
    await cache.read(source.request());
    const token = source.write();
    expect(text(await cache.read(source.request()))).toBe('v1 200 l1');
    expect(text(await cache.read(source.request({ token })))).toBe('v2 200 replica');
    expect(text(await cache.read(source.request({ token })))).toBe('v2 200 l1');
  });

  it('with a token gets from the primary what the replica does not have yet', async () => {
    source.replica = 100n;
    const token = source.write();
    expect(text(await cache.read(source.request({ token })))).toBe('v2 200 primary');
    expect(text(await cache.read(source.request()))).toBe('v2 200 l1');
  });

  it('of the same version again has seen no more than at first, however far the log has come', async () => {
    const first = (await cache.read(source.request())).entry.seen;
    source.flush += 50n;
    const again = (await cache.read(source.request({ token: source.flush }))).entry;
    expect([again.position > first, again.seen]).toEqual([true, first]);
    const token = source.write();
    expect((await cache.read(source.request({ token }))).entry.seen).toBeGreaterThanOrEqual(token);
  });

  it('of something without a version has seen all up to now: it may have changed and changed back', async () => {
    const list = { type: 'vm-list', id: 'all', group: 'vms' } as const;
    const load = async (token: bigint | null) => ({ ...(await source.load(token)), version: null });
    await cache.read(source.request({ ...list, load }));
    source.flush += 50n;
    const again = await cache.read(source.request({ ...list, load, token: source.flush }));
    expect(again.entry.seen).toBe(source.flush);
  });

  it('is told to come again when a replica answers older than it was asked', async () => {
    const token = source.write();
    const load = () => new Source().load(null);
    const reading = cache.read(source.request({ token, load }));
    await expect(reading).rejects.toMatchObject({ code: 'dependency_down', retryAfterMs: 100 });
    expect(cache.stats().l1.entries).toBe(0);
  });

  it('without a token gets nothing older than the watermark, even from a late replica', async () => {
    await cache.read(source.request());
    source.replica = 100n;
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    source.flush += 1n;
    watermark();
    expect(text(await cache.read(source.request()))).toBe('v2 200 primary');
    // Messages were lost: what had been published before still holds.
    cache.coherence.onReconnect();
    expect(text(await cache.read(source.request()))).toBe('v2 200 primary');
  });

  it('after an invalidation gets what is new, though the watermark stands and the replica is late', async () => {
    await cache.read(source.request());
    source.replica = 100n;
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    expect(text(await cache.read(source.request()))).toBe('v2 200 primary');
    expect(text(await cache.read(source.request()))).toBe('v2 200 l1');
  });

  it('who joins a load that began before its write gets a newer one', async () => {
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

  it('without a token, in a process that has heard nothing yet, is not answered from memory', async () => {
    const started = new Cache({ maxBytes: 1e6, l2: null, rules });
    started.coherence.setHistory(HISTORY);
    await started.read(source.request());
    source.write();
    expect(text(await started.read(source.request()))).toBe('v2 200 replica');
    expect(text(await started.read(source.request({ token: 100n })))).toBe('v2 200 l1');
  });

  it('strong: goes past every level, and past loads in flight', async () => {
    await cache.read(source.request());
    source.write();
    expect(text(await cache.read(source.request({ consistency: 'strong' })))).toBe('v2 200 replica');
    expect(source.loads).toBe(2);
  });

  it('eventual: takes an old state while the source is down, and causal an error', async () => {
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

  it('10,000 at once for one key make one load', async () => {
    const all = await Promise.all(Array.from({ length: 10_000 }, () => cache.read(source.request())));
    expect(new Set(all.map((a) => a.entry.version))).toEqual(new Set([1]));
    expect(source.loads).toBe(1);
    expect(cache.stats().flightsJoined).toBe(9_999);
  });
});

describe('what is kept', () => {
  it('an absence is kept, and ends with the event that makes it wrong', async () => {
    source.absent = true;
    expect(text(await cache.read(source.request()))).toBe('v1 404 replica');
    expect(text(await cache.read(source.request()))).toBe('v1 404 l1');
    source.absent = false;
    source.write();
    cache.coherence.onInvalidation(source.invalidation());
    expect(text(await cache.read(source.request()))).toBe('v2 200 replica');
  });

  it('an error is not kept', async () => {
    source.down = true;
    await expect(cache.read(source.request())).rejects.toThrow('dependency_down');
    source.down = false;
    expect(text(await cache.read(source.request()))).toBe('v1 200 replica');
  });

  it('a load that an invalidation overtook is answered to who asked before, and not kept', async () => {
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

  it('what is about to end is loaded anew once, in the background', async () => {
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

  it('a refresh that an invalidation overtook leaves nothing behind', async () => {
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

  it('nothing of one history answers in the next', async () => {
    let open = () => {};
    source.gate = new Promise((done) => (open = done));
    const before = cache.read(source.request());
    cache.coherence.onWatermark(1, { systemId: '7', timeline: 2, lsn: 500n });
    open();
    await before;
    expect(cache.coherence.history).toBe('7.2');
    expect(cache.cached(source.request())).toBeUndefined();
    // A message of the old primary that comes late does not turn it back.
    cache.coherence.onInvalidation({ v: 1, history: HISTORY, events: [] });
    expect(cache.coherence.history).toBe('7.2');
  });

  it('a database that was restored takes over by its watermark, not by events that are on their way', () => {
    cache.coherence.onInvalidation({ v: 1, history: '8.1', events: [] });
    expect(cache.coherence.history).toBe(HISTORY);
    cache.coherence.onWatermark(1, { systemId: '8', timeline: 1, lsn: 5n });
    expect(cache.coherence.history).toBe('8.1');
    // Its positions begin anew, far below all that was heard before.
    cache.coherence.onWatermark(1, { systemId: '8', timeline: 1, lsn: 6n });
    expect(cache.coherence.published('events')).toBe(5n);
    cache.coherence.onInvalidation({ v: 1, history: HISTORY, events: [] });
    expect(cache.coherence.history).toBe('8.1');
  });

  it('nothing of one tenant answers another', async () => {
    await cache.read(source.request());
    expect(cache.cached(source.request({ tenantId: 'other' }))).toBeUndefined();
  });
});
