import { describe, expect, it } from '@jest/globals';
import { PrimaryProgress } from '../src/lag.js';
import { Router } from '../src/router.js';
import { VisibleHorizon } from '../src/visible-horizon.js';

const at = (lsn: bigint) => ({ systemId: '1', timeline: 1, lsn });

function candidate(name: string, weight: number, replayed = 100n) {
  return {
    name,
    weight,
    load: 0,
    replayed,
    looks: 0,
    shares: () => true,
    has(position: { lsn: bigint } | undefined) {
      return position === undefined || this.replayed >= position.lsn;
    },
    look() {
      this.looks++;
      return Promise.resolve(true);
    },
  };
}

async function shares(
  replicas: readonly ReturnType<typeof candidate>[],
  reads: number,
): Promise<Map<string, number>> {
  let seed = 1;
  const router = new Router(replicas, () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647);
  const counts = new Map<string, number>();
  for (let n = 0; n < reads; n++) {
    const name = (await router.pick(undefined))?.name ?? 'primary';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

describe('the router', () => {
  it('shares reads between idle replicas by weight, and gives none to weight 0', async () => {
    const counts = await shares([candidate('a', 3), candidate('b', 1), candidate('c', 0)], 4_000);
    expect((counts.get('a') ?? 0) / 4_000).toBeCloseTo(0.75, 1);
    expect(counts.get('c')).toBeUndefined();
  });

  it('prefers the one with the least in hand for its weight', async () => {
    const [a, b] = [candidate('a', 2), candidate('b', 1)];
    a.load = 3;
    b.load = 1;
    expect([...(await shares([a, b], 20)).keys()]).toEqual(['b']);
    b.load = 2;
    expect([...(await shares([a, b], 20)).keys()]).toEqual(['a']);
  });

  it('passes over the one that has not replayed a token, and waits shortly for the nearest', async () => {
    const [late, near] = [candidate('late', 1, 10n), candidate('near', 1, 90n)];
    const router = new Router([late, near]);
    expect((await router.pick(at(50n)))?.name).toBe('near');
    near.look = () => {
      near.replayed = 200n;
      return Promise.resolve(true);
    };
    expect((await router.pick(at(150n)))?.name).toBe('near');
    expect(late.looks).toBe(0);
    expect(await router.pick(at(500n))).toBeNull();
  });
});

describe('the lag of a replica', () => {
  it('is for how long the primary has had WAL that the replica has not, and zero while the primary is idle', () => {
    const progress = new PrimaryProgress();
    for (const [lsn, now] of [
      [10n, 0],
      [20n, 1_000],
      [30n, 2_000],
      [30n, 60_000],
    ] as const)
      progress.add(lsn, now);
    expect(progress.lagMs(30n, 90_000)).toBe(0);
    expect(progress.lagMs(20n, 5_000)).toBe(3_000);
    expect(progress.lagMs(5n, 5_000)).toBe(5_000);
    progress.add(3n, 91_000); // promoted: the samples of the old timeline measure nothing
    expect(progress.lagMs(3n, 92_000)).toBe(0);
  });
});

describe('a position of the primary', () => {
  it('is settled once every commit that was under way when it was read has come into view', () => {
    const settled = new VisibleHorizon();
    expect(settled.end(settled.begin('h'), 10n, [])).toBe(10n);
    const early = settled.begin('h');
    expect(settled.end(settled.begin('h'), 20n, ['1', '2'])).toBe(10n);
    // Sent before the look above came back: it may be older than that.
    expect(settled.end(early, 21n, ['9'])).toBe(10n);
    expect(settled.end(settled.begin('h'), 22n, ['2', '3'])).toBe(10n);
    expect(settled.end(settled.begin('h'), 30n, ['3', '4'])).toBe(20n);
    expect(settled.end(settled.begin('h'), 31n, ['4'])).toBe(20n);
    expect(settled.end(settled.begin('h'), 40n, [])).toBe(40n);
    expect(settled.end(settled.begin('another history'), 5n, ['4'])).toBe(0n);
  });
});
