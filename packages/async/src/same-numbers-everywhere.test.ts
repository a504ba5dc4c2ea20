import { describe, expect, it } from '@jest/globals';
import { fnv1a } from './hash.js';
import { seededRandom } from './random.js';

describe('FNV-1a', () => {
  // http://www.isthe.com/chongo/src/fnv/test_fnv.c
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('hashes %p as its authors do', (text, hash) => {
    expect(fnv1a(text)).toBe(hash);
  });
});

describe('a seeded random', () => {
  it('gives one sequence for one seed', () => {
    const random = seededRandom(1);
    const first = Array.from({ length: 3 }, random);
    expect(first).toEqual([0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
    expect(Array.from({ length: 3 }, seededRandom(1))).toEqual(first);
    expect(Array.from({ length: 3 }, seededRandom(2))).not.toEqual(first);
  });

  it('is uniform in [0, 1)', () => {
    const random = seededRandom(7);
    const all = Array.from({ length: 10_000 }, random);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...all)).toBeLessThan(1);
    expect(all.reduce((sum, value) => sum + value, 0) / all.length).toBeCloseTo(0.5, 1);
  });
});
