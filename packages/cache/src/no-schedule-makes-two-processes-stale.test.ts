import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { useTestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import fc from 'fast-check';
import { createClient } from 'redis';
import { Cache, type Loaded } from './cache.js';
import { groupOf, keyOf } from './change.js';
import type { Entry } from './entry.js';
import { L2 } from './l2.js';
import { LINEAGE, rules, TENANT } from './source.harness.js';

const KEYS = ['a', 'b'];
const LIST = 'list';

let servers: Awaited<ReturnType<typeof useTestServers>>;
let redis: ReturnType<typeof newRedis>;
let links: L2[];

beforeAll(async () => {
  servers = await useTestServers({ redis: true, postgres: false });
  const url = servers.redisUrl;
  redis = newRedis(url);
  await redis.connect();
  links = [0, 1, 2].map(() => new L2({ url, timeoutMs: 30_000 }));
  await until(() => links.every((l2) => l2.available));
});
afterAll(async () => {
  for (const l2 of links) l2.close();
  await redis.close();
  await servers.stop();
});

function newRedis(url: string) {
  return createClient({ url });
}

/** A database with its relay, two processes with an L1 each, and the Redis between them. */
class World {
  now = 0;
  flush = 100n;
  readonly commits: { key: string; lsn: bigint }[] = [];
  readonly events: { seq: number; id: string; version: number; position: bigint }[] = [];
  mark = { seq: 0, position: 100n };
  readonly processes = [this.#start(0), this.#start(1)];
  /** The position that an answer claims to hold: the true one, unless a test changes it. */
  claim = (position: bigint) => position;

  #start(i: number): Cache {
    const clock = () => this.now;
    return new Cache({ maxBytes: 1e6, l2: links[i] as L2, rules, tombstoneMs: 1_000, clock });
  }

  restart(i: number): void {
    this.processes[i] = this.#start(i);
  }

  commit(key: string): bigint {
    this.flush += 10n;
    this.commits.push({ key, lsn: this.flush });
    return this.flush;
  }

  relay(): void {
    const before = this.flush;
    const found = this.commits.slice(this.events.length);
    if (found.length > 0) this.flush += 5n;
    for (const { key, lsn } of found) {
      const seq = this.events.length + 1;
      this.events.push({ seq, id: key, version: this.state(key, lsn), position: this.flush });
    }
    this.mark = { seq: this.events.length, position: before };
  }

  /** A resource's version, or how many commits a list shows. */
  state(key: string, position: bigint): number {
    return 1 + this.commits.filter((c) => c.lsn <= position && (key === LIST || c.key === key)).length;
  }

  read(key: string, position: bigint, servedFrom: Loaded['servedFrom']): Loaded {
    const state = this.state(key, position);
    return {
      bytes: Buffer.from(String(state)),
      version: key === LIST ? null : state,
      position: servedFrom === 'primary' ? position - 1n : this.claim(position),
      seen: position,
      lineage: LINEAGE,
      status: 200,
      servedFrom,
    };
  }

  deliver(i: number, index: number): void {
    const event = this.events[index];
    if (!event) return;
    const invalidated = {
      seq: event.seq,
      tenantId: TENANT,
      kind: 'vm' as const,
      id: event.id,
      version: event.version,
    };
    const message = {
      v: 1 as const,
      history: LINEAGE,
      events: [{ ...invalidated, lsn: String(event.position) }],
    };
    this.processes[i]?.coherence.onInvalidation(message);
  }

  watermark(i: number): void {
    const { seq, position } = this.mark;
    this.processes[i]?.coherence.onWatermark(seq, { systemId: '7', timeline: 1, lsn: position });
  }

  async tombstone(index: number): Promise<void> {
    const event = this.events[index];
    if (!event) return;
    const invalidated = {
      seq: event.seq,
      tenantId: TENANT,
      kind: 'vm' as const,
      id: event.id,
      version: event.version,
    };
    const changes = rules({ ...invalidated, lsn: String(event.position) }, event.position);
    await (links[2] as L2).invalidate(LINEAGE, changes);
  }
}

const where = { process: fc.nat(1) };
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('commit' as const), key: fc.constantFrom(...KEYS) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('relay' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver' as const), ...where, back: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('mark' as const), ...where }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tombstone' as const), back: fc.nat(3) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('settle' as const), ...where }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(900) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reconnect' as const), ...where }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), ...where }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush-redis' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('late-fill' as const),
      key: fc.constantFrom(...KEYS, LIST),
      lag: fc.nat(60),
      after: fc.nat(8),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      ...where,
      key: fc.constantFrom(...KEYS, LIST),
      back: fc.option(fc.nat(4), { nil: null }),
      lag: fc.oneof(fc.constant(0), fc.nat(40)),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** @returns the answers that were older than what their readers had observed, and the level that answered */
async function run(steps: readonly Step[], world = new World()) {
  await redis.flushAll();
  const late: { at: number; key: string; entry: Entry }[] = [];
  const tokens = [world.flush];
  const stale: string[] = [];
  const served = { l1: 0, l2: 0, replica: 0, primary: 0 };
  for (const [i, s] of steps.entries()) {
    world.now += 10;
    for (const fill of late.splice(0)) {
      if (fill.at > i) late.push(fill);
      else await (links[2] as L2).fill(place(fill.key), fill.entry);
    }
    if (s.do === 'commit') tokens.push(world.commit(s.key));
    else if (s.do === 'relay') world.relay();
    else if (s.do === 'deliver') world.deliver(s.process, world.events.length - 1 - s.back);
    else if (s.do === 'mark') world.watermark(s.process);
    else if (s.do === 'tombstone') await world.tombstone(world.events.length - 1 - s.back);
    else if (s.do === 'settle') {
      world.relay();
      world.events.forEach((_, index) => world.deliver(s.process, index));
      world.watermark(s.process);
    } else if (s.do === 'wait') world.now += s.ms;
    else if (s.do === 'reconnect') world.processes[s.process]?.coherence.onReconnect();
    else if (s.do === 'restart') world.restart(s.process);
    else if (s.do === 'flush-redis') await redis.flushAll();
    else if (s.do === 'late-fill') {
      const loaded = world.read(s.key, world.flush - BigInt(s.lag), 'replica');
      const entry = { ...loaded, tenantId: TENANT, filledAt: Date.now(), ttlMs: 60_000 };
      late.push({ at: i + s.after, key: s.key, entry });
    } else {
      const cache = world.processes[s.process] as Cache;
      const token = s.back === null ? null : (tokens.at(-1 - s.back) ?? (tokens[0] as bigint));
      const seen = token ?? cache.coherence.published('events') ?? 0n;
      const replica = world.flush - BigInt(s.lag);
      const answer = await cache.read({
        type: s.key === LIST ? 'vm-list' : 'vm',
        ...(s.key === LIST ? { group: 'vms' } : {}),
        tenantId: TENANT,
        id: s.key,
        token,
        consistency: 'causal',
        load: async (wanted) =>
          world.claim(replica) >= (wanted ?? 0n)
            ? world.read(s.key, replica, 'replica')
            : world.read(s.key, world.flush, 'primary'),
      });
      served[answer.servedFrom] += 1;
      // The reader carries its position on.
      tokens.push(answer.entry.seen);
      const shown = Number(answer.entry.bytes.toString());
      if (shown < world.state(s.key, seen))
        stale.push(`step ${i}: ${s.key} from ${answer.servedFrom} at ${seen}`);
    }
    for (const cache of world.processes) cache.coherence.tick();
  }
  return { stale, served };
}

function place(key: string) {
  const list = key === LIST;
  const group = list ? groupOf(TENANT, 'vms') : null;
  return { lineage: LINEAGE, key: keyOf(TENANT, list ? 'vm-list' : 'vm', key), group };
}

const schedule = fc.array(step, { minLength: 40, maxLength: 80, size: 'max' });

describe('with any order of commits, late fills, tombstones, broadcasts, losses, restarts and flushes', () => {
  it('two processes that share Redis never answer older than what a reader has observed or was published', async () => {
    const total = { l1: 0, l2: 0, replica: 0, primary: 0 };
    await fc.assert(
      fc.asyncProperty(schedule, async (steps) => {
        const { stale, served } = await run(steps);
        expect(stale).toEqual([]);
        for (const level of ['l1', 'l2', 'replica', 'primary'] as const) total[level] += served[level];
      }),
      { numRuns: 600 },
    );
    // Every level answered: otherwise the test would prove nothing about it.
    for (const count of Object.values(total)) expect(count).toBeGreaterThan(50);
  });

  it('detects a position that is later than the state it was read with', async () => {
    const found = await fc.check(
      fc.asyncProperty(schedule, async (steps) => {
        const world = new World();
        world.claim = (position) => position + 10n;
        return (await run(steps, world)).stale.length === 0;
      }),
      { numRuns: 100, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });
});
