import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Entry } from './entry.js';
import { L1 } from './l1.js';
import { MetricsWatermarkTracker, type MetricsProgress } from './metrics-watermark-tracker.js';

const TENANT = 't';
/** Each VM is in a partition of its own. */
const VMS = ['a', 'b'];

interface Message extends MetricsProgress {
  readonly vms: readonly string[];
  readonly position: bigint;
}

/** An ingester: its commits in flight, those not announced yet, and its messages, which stay in order. */
class Ingester {
  static #made = 0;
  source = '';
  #n = 0;
  /** The partitions that it believes to own. The database decides. */
  readonly believes = new Set<number>();
  /** Committed, but not acknowledged to it yet. */
  inFlight: string[] = [];
  waiting: string[] = [];
  position = 0n;
  writes = 0;
  /** How many writes had begun when its look began. */
  looking: number | undefined;
  readonly onTheWay: Message[] = [];

  constructor() {
    this.restart();
  }

  restart(): void {
    this.source = `ingester-${(Ingester.#made += 1)}`;
    this.#n = 0;
  }

  announce(): void {
    if (this.waiting.length > 0) this.#send(this.waiting.splice(0), this.position, null);
  }

  acknowledged(position: bigint): void {
    if (this.inFlight.length === 0) return;
    this.waiting.push(...this.inFlight.splice(0));
    this.position = position;
  }

  /** A look begins between two writes, never during one. */
  look(): void {
    if (this.inFlight.length === 0) this.looking = this.writes;
  }

  /** Announces what the look observed, unless a write began since. */
  complete(seen: { partitions: number[]; upTo: bigint }): void {
    if (this.looking === this.writes) {
      this.announce();
      this.#send([], seen.upTo, { partitions: seen.partitions, upTo: `7.1.${seen.upTo}` });
    }
    this.looking = undefined;
  }

  #send(vms: readonly string[], position: bigint, complete: MetricsProgress['complete']): void {
    this.onTheWay.push({ source: this.source, n: (this.#n += 1), vms, position, complete });
  }
}

class World {
  now = 0;
  flush = 100n;
  readonly commits: { vm: string; lsn: bigint }[] = [];
  readonly ingesters = [new Ingester(), new Ingester(), new Ingester()];
  readonly owners: (number | null)[] = [null, null];
  readonly l1 = new L1({ maxBytes: 1e6, tombstoneMs: 1_000, clock: () => this.now });
  readonly tracker = new MetricsWatermarkTracker(
    {
      advance: (position) => this.l1.advance(position, 'metrics'),
      distrust: () => this.l1.distrust('metrics'),
    },
    VMS.length,
  );

  /** Only the owner's transaction passes the fence. */
  commit(index: number): bigint | undefined {
    const owner = this.ingesters[this.owners[index] ?? -1];
    if (!owner?.believes.has(index)) return undefined;
    const vm = VMS[index] as string;
    owner.writes += 1;
    this.flush += 10n;
    this.commits.push({ vm, lsn: this.flush });
    owner.inFlight.push(vm);
    return this.flush;
  }

  /** What the ingester's look observes: first the position, then its partitions. */
  seenBy(by: number): { partitions: number[]; upTo: bigint } {
    const believes = [...(this.ingesters[by] as Ingester).believes];
    return { partitions: believes.filter((index) => this.owners[index] === by), upTo: this.flush - 1n };
  }

  claim(by: number, index: number): void {
    if (this.owners[index] === by) return;
    this.owners[index] = by;
    this.flush += 10n;
    this.ingesters[by]?.restart();
    this.ingesters[by]?.believes.add(index);
  }

  /** The ingester learns which partitions it has lost. */
  renew(by: number): void {
    const ingester = this.ingesters[by] as Ingester;
    for (const index of ingester.believes) {
      if (this.owners[index] === by) continue;
      ingester.believes.delete(index);
      ingester.restart();
    }
  }

  /** Its commits that were not announced are never announced. */
  crash(by: number): void {
    const fresh = new Ingester();
    fresh.onTheWay.push(...(this.ingesters[by] as Ingester).onTheWay);
    this.ingesters[by] = fresh;
    this.owners.forEach((owner, index) => owner === by && (this.owners[index] = null));
  }

  deliver(by: number): void {
    const message = this.ingesters[by]?.onTheWay.shift();
    if (!message) return;
    for (const vm of message.vms) this.l1.invalidateLists(vm, message.position, 'metrics');
    this.tracker.receive(message);
  }

  /** How many commits of the VM a server shows that has replayed up to `position`. */
  shown(vm: string, position: bigint): number {
    return this.commits.filter((commit) => commit.vm === vm && commit.lsn <= position).length;
  }

  read(vm: string, position: bigint): Entry {
    const bytes = Buffer.from(String(this.shown(vm, position)));
    const rest = { version: null, tenantId: TENANT, status: 200, filledAt: this.now, ttlMs: Infinity };
    return { ...rest, bytes, position, seen: position };
  }
}

const by = fc.nat(2);
const index = fc.nat(1);
const step = fc.oneof(
  { weight: 16, arbitrary: fc.record({ do: fc.constant('commit' as const), index }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('announce' as const), by }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), by }) },
  // The rest of the database.
  { weight: 12, arbitrary: fc.record({ do: fc.constant('others' as const) }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('look-all' as const) }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('complete-all' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('look' as const), by }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('complete' as const), by }) },
  { weight: 16, arbitrary: fc.record({ do: fc.constant('deliver' as const), by }) },
  { weight: 14, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('lose' as const), by }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('claim' as const), by, index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('renew' as const), by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reconnect' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(700) }) },
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      index,
      lag: fc.oneof(fc.constant(0), fc.nat(60)),
      fillAfter: fc.nat(6),
    }),
  },
  { weight: 24, arbitrary: fc.record({ do: fc.constant('check' as const), index, back: fc.nat(5) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function run(steps: readonly Step[], world = new World()): { stale: string[]; hits: number } {
  const late: { at: number; vm: string; entry: Entry }[] = [];
  const tokens: bigint[] = [world.flush];
  const stale: string[] = [];
  let hits = 0;
  VMS.forEach((_, i) => world.claim(i, i));
  steps.forEach((s, i) => {
    world.now += 10;
    for (const fill of late.splice(0)) {
      if (fill.at > i) late.push(fill);
      else world.l1.fill(fill.vm, fill.entry, fill.vm, 'metrics');
    }
    if (s.do === 'commit') {
      const token = world.commit(s.index);
      if (token !== undefined) tokens.push(token);
    }
    if (s.do === 'announce') world.ingesters[s.by]?.announce();
    if (s.do === 'acknowledge') world.ingesters[s.by]?.acknowledged(world.flush);
    if (s.do === 'look') world.ingesters[s.by]?.look();
    if (s.do === 'others') tokens.push((world.flush += 10n));
    if (s.do === 'look-all') for (const ingester of world.ingesters) ingester.look();
    if (s.do === 'complete-all') {
      world.ingesters.forEach((ingester, i) => {
        ingester.complete(world.seenBy(i));
        while (ingester.onTheWay.length > 0) world.deliver(i);
      });
    }
    if (s.do === 'complete') world.ingesters[s.by]?.complete(world.seenBy(s.by));
    if (s.do === 'deliver') world.deliver(s.by);
    if (s.do === 'settle') {
      // A quiet moment: every ingester announces everything, and every message arrives.
      world.flush += 10n;
      world.ingesters.forEach((ingester, i) => {
        world.renew(i);
        ingester.acknowledged(world.flush);
        ingester.look();
        ingester.complete(world.seenBy(i));
        while (ingester.onTheWay.length > 0) world.deliver(i);
      });
    }
    if (s.do === 'lose') {
      world.ingesters[s.by]?.announce();
      world.ingesters[s.by]?.onTheWay.pop();
    }
    if (s.do === 'claim') world.claim(s.by, s.index);
    if (s.do === 'renew') world.renew(s.by);
    if (s.do === 'crash') world.crash(s.by);
    if (s.do === 'reconnect') world.tracker.restart();
    if (s.do === 'drop') world.l1.drop();
    if (s.do === 'wait') world.now += s.ms;
    if (s.do === 'read') {
      const vm = VMS[s.index] as string;
      late.push({ at: i + s.fillAfter, vm, entry: world.read(vm, world.flush - BigInt(s.lag)) });
    }
    if (s.do === 'check') {
      const vm = VMS[s.index] as string;
      const token = tokens.at(-1 - s.back) ?? (tokens[0] as bigint);
      const hit = world.l1.get(vm, TENANT, token);
      if (!hit) return;
      hits += hit.position < token ? 1 : 0;
      const shown = Number(hit.bytes.toString());
      if (shown < world.shown(vm, token)) stale.push(`step ${i}: ${vm} shows ${shown} at ${token}`);
    }
  });
  return { stale, hits };
}

/** Rare by chance: a partition is claimed and written while its last owner still believes to own it. */
const UNNOTICED_CLAIM: Step[] = [
  { do: 'settle' },
  { do: 'settle' },
  { do: 'read', index: 0, lag: 0, fillAfter: 0 },
  { do: 'claim', by: 2, index: 0 },
  { do: 'commit', index: 0 },
  { do: 'others' },
  { do: 'look-all' },
  { do: 'complete-all' },
  { do: 'check', index: 0, back: 1 },
];
const schedule = fc.array(step, { minLength: 40, maxLength: 150, size: 'max' });

describe('with any order of new points, owners of partitions, losses and fills', () => {
  it('no metrics are older than what their reader has observed', () => {
    let hits = 0;
    fc.assert(
      fc.property(schedule, (steps) => {
        const result = run(steps);
        hits += result.hits;
        expect(result.stale).toEqual([]);
      }),
      { numRuns: 3_000 },
    );
    // Answers that only the watermark vouches for: a cache that never gives them would pass as well.
    expect(hits).toBeGreaterThan(200);
  });

  it.each<[string, (world: World) => void]>([
    [
      'an ingester that dies with unannounced points, when its successor is mistaken for it,',
      (world) => {
        const receive = world.tracker.receive.bind(world.tracker);
        let n = 0;
        world.tracker.receive = (message) => receive({ ...message, source: 'any', n: (n += 1) });
      },
    ],
    [
      'a lost message, when numbers are ignored,',
      (world) => {
        const receive = world.tracker.receive.bind(world.tracker);
        const counts = new Map<string, number>();
        world.tracker.receive = (message) => {
          const n = (counts.get(message.source) ?? 0) + 1;
          counts.set(message.source, n);
          receive({ ...message, n });
        };
      },
    ],
    [
      'an owner that does not know yet that it lost its partition',
      (world) => {
        world.seenBy = (by) => ({
          partitions: [...(world.ingesters[by] as Ingester).believes],
          upTo: world.flush - 1n,
        });
      },
    ],
    [
      'a write during a look',
      (world) => {
        const commit = world.commit.bind(world);
        world.commit = (index) => {
          const position = commit(index);
          for (const ingester of world.ingesters) ingester.writes = 0;
          return position;
        };
      },
    ],
  ])('%s is detected', (_what, breakIt) => {
    const found = fc.check(
      fc.property(schedule, (steps) => {
        const world = new World();
        breakIt(world);
        return run(steps, world).stale.length === 0;
      }),
      { numRuns: 20_000, examples: [[UNNOTICED_CLAIM]] },
    );
    expect(found.failed).toBe(true);
  });
});
