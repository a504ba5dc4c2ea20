import { describe, expect, it } from '@jest/globals';
import { meetsTarget, type Measurement } from './benchmark.js';
import { median, quantile } from './stats.js';

describe('statistics', () => {
  it('takes the middle of samples in any order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('takes a quantile by the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(quantile(hundred, 0.95)).toBe(95);
    expect(quantile([7], 0.95)).toBe(7);
    expect(quantile(hundred, 0)).toBe(1);
  });

  it('makes no figure out of nothing', () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe('a target', () => {
  const one = (rest: Partial<Measurement>): Measurement => ({
    name: 'x',
    value: 5,
    unit: 's',
    samples: [5],
    ...rest,
  });

  it('is met by the figure that it names', () => {
    expect(meetsTarget(one({ target: { of: 'value', atMost: 5 } }))).toBe(true);
    expect(meetsTarget(one({ target: { of: 'value', atMost: 4.9 } }))).toBe(false);
    expect(meetsTarget(one({ ratio: 1.2, target: { of: 'ratio', atLeast: 1 } }))).toBe(true);
  });

  it('is missed when its ratio could not be measured', () => {
    expect(meetsTarget(one({ target: { of: 'ratio', atLeast: 1 } }))).toBe(false);
  });

  it('need not be there', () => {
    expect(meetsTarget(one({}))).toBeUndefined();
  });
});
