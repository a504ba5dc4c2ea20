import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Periodic } from './periodic.js';
import { sleep } from './sleep.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const onError = () => undefined;

describe('a periodic task', () => {
  it('runs after each interval, the first time after one', async () => {
    const task = jest.fn();
    const periodic = new Periodic(task, { everyMs: 100, onError });
    periodic.start();
    periodic.start();
    expect(task).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(300);
    expect(task).toHaveBeenCalledTimes(3);
    await periodic.stop();
  });

  it('runs at once when its first run is now', async () => {
    const task = jest.fn();
    const periodic = new Periodic(task, { everyMs: 100, firstRun: 'now', onError });
    periodic.start();
    expect(task).toHaveBeenCalledTimes(1);
    await periodic.stop();
  });

  it('skips the turns that come while a run is under way', async () => {
    const task = jest.fn(() => sleep(250));
    const periodic = new Periodic(task, { everyMs: 100, onError });
    periodic.start();
    await jest.advanceTimersByTimeAsync(399);
    expect(task).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(task).toHaveBeenCalledTimes(2);
  });

  it('reports the error of a run and goes on', async () => {
    const failures: unknown[] = [];
    const task = () => {
      throw new Error('broken');
    };
    const periodic = new Periodic(task, { everyMs: 100, onError: (error) => failures.push(error) });
    periodic.start();
    await jest.advanceTimersByTimeAsync(200);
    expect(failures).toHaveLength(2);
    await periodic.stop();
  });

  it('ends with its last run and may be started again', async () => {
    let ended = 0;
    const task = async () => {
      await sleep(250);
      ended += 1;
    };
    const periodic = new Periodic(task, { everyMs: 100, onError });
    periodic.start();
    await jest.advanceTimersByTimeAsync(150);
    const stopped = periodic.stop();
    expect(periodic.active).toBe(false);
    await jest.advanceTimersByTimeAsync(1_000);
    await stopped;
    expect(ended).toBe(1);
    periodic.start();
    await jest.advanceTimersByTimeAsync(350);
    expect(ended).toBe(2);
  });

  it('lets several callers join one run', async () => {
    const task = jest.fn(() => sleep(50));
    const periodic = new Periodic(task, { everyMs: 100, onError });
    const runs = Promise.all([periodic.run(), periodic.run()]);
    await jest.advanceTimersByTimeAsync(50);
    await runs;
    expect(task).toHaveBeenCalledTimes(1);
  });
});
