import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from './single-flight.js';

interface Loading {
  readonly token: bigint;
  land(position: bigint): void;
  crash(): void;
}

/** A source whose loads end when the test says so. */
function source() {
  const loads: Loading[] = [];
  const load = (token: bigint) =>
    new Promise<bigint>((resolve, reject) => {
      loads.push({ token, land: resolve, crash: () => reject(new Error('down')) });
    });
  return { loads, load, singleFlight: new SingleFlight<bigint>((position, token) => position >= token) };
}

const settled = () => new Promise((done) => setImmediate(done));

describe('single-flight', () => {
  it('makes one load for 10,000 concurrent misses', async () => {
    const { singleFlight, loads, load } = source();
    const reading = Array.from({ length: 10_000 }, () => singleFlight.run('k', 5n, load));
    loads[0]?.land(5n);
    expect(new Set(await Promise.all(reading))).toEqual(new Set([5n]));
    expect(loads.length).toBe(1);
    expect(singleFlight.size).toBe(0);
  });

  it('starts a newer load for a token that is not promised, and later readers join it', async () => {
    const { singleFlight, loads, load } = source();
    const first = singleFlight.run('k', 1n, load);
    const newer = singleFlight.run('k', 2n, load);
    const joiner = singleFlight.run('k', 2n, load);
    expect(loads.map((l) => l.token)).toEqual([1n, 2n]);
    loads[1]?.land(2n);
    expect(await newer).toBe(2n);
    expect(await joiner).toBe(2n);
    loads[0]?.land(1n);
    expect(await first).toBe(1n);
  });

  it('keeps a newer load in flight when an older one ends', async () => {
    const { singleFlight, loads, load } = source();
    const first = singleFlight.run('k', 1n, load);
    void singleFlight.run('k', 2n, load);
    loads[0]?.land(1n);
    await first;
    void singleFlight.run('k', 2n, load);
    expect(loads.length).toBe(2);
  });

  it('makes few loads for 10,000 readers with a token each, and answers none below its token', async () => {
    const { singleFlight, loads, load } = source();
    const reading = Array.from({ length: 10_000 }, async (_, i) => {
      const token = BigInt(i);
      expect(await singleFlight.run('k', token, load)).toBeGreaterThanOrEqual(token);
    });
    for (let i = 0; i < loads.length; i += 1) {
      await settled();
      loads[i]?.land(loads[i]?.token as bigint);
      await settled();
    }
    await Promise.all(reading);
    expect(loads.length).toBe(3);
  });

  it('answers a waiting reader with a result that is new enough', async () => {
    const { singleFlight, loads, load } = source();
    void singleFlight.run('k', 1n, load);
    void singleFlight.run('k', 2n, load);
    const waiting = singleFlight.run('k', 3n, load);
    loads[1]?.land(9n);
    expect(await waiting).toBe(9n);
    expect(loads.length).toBe(2);
  });

  it('passes a failure to the readers whose token the load promised, and starts a new load for the waiting ones', async () => {
    const { singleFlight, loads, load } = source();
    void singleFlight.run('k', 1n, load).catch(() => undefined);
    const failing = singleFlight.run('k', 2n, load);
    const waiting = singleFlight.run('k', 3n, load);
    loads[1]?.crash();
    await expect(failing).rejects.toThrow('down');
    await settled();
    loads[2]?.land(3n);
    expect(await waiting).toBe(3n);
  });
});
