import { describe, expect, it } from '@jest/globals';
import { GapTimer } from './gap-timer.js';

describe('a missing number', () => {
  it('is a gap only after a second in which nothing moved', () => {
    const gaps = new GapTimer();
    expect(gaps.overdue(5, 8, 0)).toBeUndefined();
    expect(gaps.overdue(5, 9, 999)).toBeUndefined();
    expect(gaps.overdue(5, 9, 1_000)).toBe(1_000);
  });

  it('is not a gap while the numbers before it still arrive', () => {
    const gaps = new GapTimer();
    for (let seq = 0; seq < 50; seq++) expect(gaps.overdue(seq, 100, seq * 900)).toBeUndefined();
  });

  it('begins to age when it appears, not when the last event arrived', () => {
    const gaps = new GapTimer();
    gaps.overdue(5, 5, 0);
    expect(gaps.overdue(5, 5, 60_000)).toBeUndefined();
    expect(gaps.overdue(5, 6, 60_100)).toBeUndefined();
    expect(gaps.overdue(5, 6, 61_100)).toBe(1_100);
  });
});
