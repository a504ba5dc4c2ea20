import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Backoff } from './backoff.js';
import { retry } from './retry.js';

const OPTIONS = { firstMs: 100, maxMs: 400 };

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Fails this many times, then returns the number of the attempt. */
function failing(times: number, error = new Error('not yet')) {
  return jest.fn((attempt: number) => (attempt > times ? Promise.resolve(attempt) : Promise.reject(error)));
}

describe('a retry', () => {
  it('doubles the delay up to the longest until an attempt succeeds', async () => {
    const delays: number[] = [];
    const onRetry = (_error: unknown, delayMs: number) => void delays.push(delayMs);
    const result = retry(failing(5), { ...OPTIONS, onRetry });
    await jest.runAllTimersAsync();
    expect(await result).toBe(6);
    expect(delays).toEqual([100, 200, 400, 400, 400]);
  });

  it('throws the last error when the attempts are used up', async () => {
    const work = failing(9);
    const result = retry(work, { ...OPTIONS, attempts: 3 });
    await Promise.all([expect(result).rejects.toThrow('not yet'), jest.runAllTimersAsync()]);
    expect(work).toHaveBeenCalledTimes(3);
  });

  it('throws an error at once that another attempt cannot mend', async () => {
    const work = failing(9);
    await expect(retry(work, { ...OPTIONS, retryIf: () => false })).rejects.toThrow('not yet');
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('retries a TypeError like every other error', async () => {
    const result = retry(failing(1, new TypeError('a bug')), OPTIONS);
    await jest.runAllTimersAsync();
    expect(await result).toBe(2);
  });

  it('ends within a delay when its signal is aborted, and leaves no timer behind', async () => {
    const stop = new AbortController();
    const work = failing(9);
    const result = retry(work, { ...OPTIONS, signal: stop.signal });
    await jest.advanceTimersByTimeAsync(50);
    stop.abort(new Error('shutting down'));
    await expect(result).rejects.toThrow('shutting down');
    expect(work).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('makes no attempt when its signal was aborted before', async () => {
    const work = failing(0);
    await expect(retry(work, { ...OPTIONS, signal: AbortSignal.abort() })).rejects.toThrow();
    expect(work).not.toHaveBeenCalled();
  });
});

describe('a back-off', () => {
  it('spreads delays around their length by its jitter', () => {
    const ends = [0, 1 - 2 ** -52];
    const delays = ends.map((end) => new Backoff({ ...OPTIONS, jitter: 0.5 }, () => end).next());
    expect(delays.map(Math.round)).toEqual([50, 150]);
  });

  it('begins again with the first delay after a reset', () => {
    const backoff = new Backoff(OPTIONS);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect([backoff.next(), backoff.next()]).toEqual([100, 200]);
  });
});
