import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CircuitBreaker, CircuitOpenError } from './circuit-breaker.js';

let now = 0;
let breaker: CircuitBreaker;
const ok = () => Promise.resolve('ok');
const broken = () => Promise.reject(new Error('broken'));

beforeEach(() => {
  now = 0;
  breaker = new CircuitBreaker({ failures: 3, openMs: 1_000, maxOpenMs: 3_000, now: () => now });
});

async function fail(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await expect(breaker.run(broken)).rejects.toThrow('broken');
}

describe('a circuit breaker', () => {
  it('opens after failures in a row, and makes no call then', async () => {
    await fail(2);
    await breaker.run(ok);
    await fail(2);
    expect(breaker.state).toBe('closed');
    await fail(1);
    expect(breaker.state).toBe('open');
    const call = jest.fn(ok);
    await expect(breaker.run(call)).rejects.toBeInstanceOf(CircuitOpenError);
    expect(call).not.toHaveBeenCalled();
  });

  it('is closed by the success of the call that tests it, and refuses others meanwhile', async () => {
    await fail(3);
    now = 1_000;
    expect(breaker.state).toBe('half-open');
    const test = Promise.withResolvers<string>();
    const tested = breaker.run(() => test.promise);
    await expect(breaker.run(ok)).rejects.toBeInstanceOf(CircuitOpenError);
    test.resolve('ok');
    expect(await tested).toBe('ok');
    expect(breaker.state).toBe('closed');
    expect(await breaker.run(ok)).toBe('ok');
  });

  it('stays open for longer after each test that fails, up to the longest', async () => {
    await fail(3);
    for (const [at, until] of [
      [1_000, 3_000],
      [3_000, 6_000],
      [6_000, 9_000],
    ] as const) {
      now = at;
      await fail(1);
      now = until - 1;
      expect(breaker.state).toBe('open');
      now = until;
      expect(breaker.state).toBe('half-open');
    }
  });

  it('opens at once when a failure proves that the dependency is away', () => {
    breaker.failed(true);
    expect(breaker.state).toBe('open');
  });

  it('is closed by a success that was observed elsewhere, and forgets earlier openings', async () => {
    breaker.failed(true);
    breaker.succeeded();
    expect(breaker.state).toBe('closed');
    breaker.failed(true);
    now = 1_000;
    expect(breaker.state).toBe('half-open');
    await breaker.run(ok);
  });

  it('ignores the failures of calls that began before it opened', () => {
    for (let i = 0; i < 20; i++) breaker.failed();
    now = 1_000;
    expect(breaker.state).toBe('half-open');
  });
});
