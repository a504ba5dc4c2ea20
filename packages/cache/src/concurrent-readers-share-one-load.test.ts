import { describe, expect, it } from '@jest/globals';
import { Flights } from './single-flight.js';

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
  return { loads, load, flights: new Flights<bigint>((position, token) => position >= token) };
}

const settled = () => new Promise((done) => setImmediate(done));

describe('loads of one key', () => {
  it('10,000 concurrent misses make one load', async () => {
    const { flights, loads, load } = source();
    const asking = Array.from({ length: 10_000 }, () => flights.run('k', 5n, load));
    loads[0]?.land(5n);
    expect(new Set(await Promise.all(asking))).toEqual(new Set([5n]));
    expect(loads.length).toBe(1);
    expect(flights.size).toBe(0);
  });

  it('a token that is not promised starts a newer load, which later askers join', async () => {
    const { flights, loads, load } = source();
    const first = flights.run('k', 1n, load);
    const newer = flights.run('k', 2n, load);
    const joiner = flights.run('k', 2n, load);
    expect(loads.map((l) => l.token)).toEqual([1n, 2n]);
    loads[1]?.land(2n);
    expect(await newer).toBe(2n);
    expect(await joiner).toBe(2n);
    loads[0]?.land(1n);
    expect(await first).toBe(1n);
  });

  it('a load that ends does not hide a newer one that flies', async () => {
    const { flights, loads, load } = source();
    const first = flights.run('k', 1n, load);
    void flights.run('k', 2n, load);
    loads[0]?.land(1n);
    await first;
    void flights.run('k', 2n, load);
    expect(loads.length).toBe(2);
  });

  it('10,000 readers with a token each make few loads, and none gets less than its token', async () => {
    const { flights, loads, load } = source();
    const asking = Array.from({ length: 10_000 }, async (_, i) => {
      const token = BigInt(i);
      expect(await flights.run('k', token, load)).toBeGreaterThanOrEqual(token);
    });
    for (let i = 0; i < loads.length; i += 1) {
      await settled();
      loads[i]?.land(loads[i]?.token as bigint);
      await settled();
    }
    await Promise.all(asking);
    expect(loads.length).toBe(3);
  });

  it('who waits takes a result that turned out new enough', async () => {
    const { flights, loads, load } = source();
    void flights.run('k', 1n, load);
    void flights.run('k', 2n, load);
    const waiting = flights.run('k', 3n, load);
    loads[1]?.land(9n);
    expect(await waiting).toBe(9n);
    expect(loads.length).toBe(2);
  });

  it('a failure reaches those whom it promised a result; who waited tries anew', async () => {
    const { flights, loads, load } = source();
    void flights.run('k', 1n, load).catch(() => undefined);
    const failing = flights.run('k', 2n, load);
    const waiting = flights.run('k', 3n, load);
    loads[1]?.crash();
    await expect(failing).rejects.toThrow('down');
    await settled();
    loads[2]?.land(3n);
    expect(await waiting).toBe(3n);
  });
});
