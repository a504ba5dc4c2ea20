import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.js';

describe('a token bucket', () => {
  it('never admits more than its capacity and what was refilled', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 40 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 100 }),
        steps,
        (size, rate, all) => {
          const bucket = new TokenBucket('token', size, rate, 0);
          let [now, given] = [0, 0];
          for (const [later, requests] of all) {
            now += later;
            for (let i = 0; i < requests; i += 1) if (bucket.take(now)) given += 1;
            expect(given).toBeLessThanOrEqual(size + (now / 1_000) * rate + 1e-6);
          }
        },
      ),
    );
  });

  it('admits its whole capacity at once, then refuses, and names the time to retry', () => {
    const bucket = new TokenBucket('address', 50, 100 / 60, 0);
    expect(Array.from({ length: 51 }, () => bucket.take(0)).filter(Boolean)).toHaveLength(50);
    expect(bucket.retryAfterMs).toBe(600);
    expect([bucket.policy, bucket.state()]).toEqual(['"address";q=50;w=30', '"address";r=0;t=30']);
    expect([bucket.take(599), bucket.take(601), bucket.take(602)]).toEqual([false, true, false]);
  });

  it('adopts the rest of all gateways, less what was taken meanwhile', () => {
    const bucket = new TokenBucket('token', 10, 1, 0);
    for (let i = 0; i < 4; i += 1) bucket.take(0);
    expect(bucket.drain()).toBe(4);
    bucket.take(0);
    // Others took five: one is left, and that was taken while we asked.
    bucket.reconcile(1, 0);
    expect([bucket.take(0), bucket.take(1_000), bucket.take(1_000)]).toEqual([false, true, false]);
    // They overdrew it.
    bucket.drain();
    bucket.reconcile(-3, 2_000);
    expect([bucket.take(5_900), bucket.take(6_001)]).toEqual([false, true]);
  });
});
