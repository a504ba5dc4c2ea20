import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { endsWithin, withDeadline } from './deadline.js';
import { pause, sleep } from './sleep.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

class TooLate extends Error {}
const late = () => new TooLate('too late');

describe('a deadline', () => {
  it('passes the result on and clears its timer', async () => {
    expect(await withDeadline(() => 7, 100, late)).toBe(7);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('passes on what the work throws, synchronously too', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    await expect(withDeadline(broken, 100, late)).rejects.toThrow('broken');
    expect(jest.getTimerCount()).toBe(0);
  });

  it("rejects with the caller's error when the work takes longer", async () => {
    await Promise.all([
      expect(withDeadline(() => sleep(500), 100, late)).rejects.toBeInstanceOf(TooLate),
      jest.advanceTimersByTimeAsync(100),
    ]);
  });

  it('begins the work when no time is left', async () => {
    const work = jest.fn(() => 7);
    expect(await withDeadline(work, -5, late)).toBe(7);
  });

  it('ignores the late failure of the work', async () => {
    const work = async () => {
      await sleep(500);
      throw new Error('late');
    };
    await Promise.all([
      expect(withDeadline(work, 100, late)).rejects.toBeInstanceOf(TooLate),
      jest.advanceTimersByTimeAsync(1_000),
    ]);
  });

  it('runs on the timers that it is given', async () => {
    let fire: () => void = () => undefined;
    const cleared = jest.fn();
    const timers = {
      setTimeout: (fn: () => void, ms: number) => {
        fire = fn;
        return ms;
      },
      clearTimeout: cleared,
    };
    const result = withDeadline(() => sleep(500), 100, late, timers);
    fire();
    await expect(result).rejects.toBeInstanceOf(TooLate);
    expect(cleared).toHaveBeenCalledWith(100);
  });
});

describe('a bounded wait', () => {
  it('says whether the work has ended in time', async () => {
    const waits = Promise.all([endsWithin(() => sleep(50), 100), endsWithin(() => sleep(500), 100)]);
    await jest.advanceTimersByTimeAsync(100);
    expect(await waits).toEqual([true, false]);
  });

  it('passes on the failure of the work', async () => {
    await expect(endsWithin(() => Promise.reject(new Error('broken')), 100)).rejects.toThrow('broken');
  });
});

describe('a sleep', () => {
  it('rejects with the reason of an abort, and a pause ends', async () => {
    const stop = new AbortController();
    const slept = sleep(1_000, { signal: stop.signal });
    const paused = pause(1_000, { signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(slept).rejects.toThrow('stopped');
    await paused;
    expect(jest.getTimerCount()).toBe(0);
  });
});
