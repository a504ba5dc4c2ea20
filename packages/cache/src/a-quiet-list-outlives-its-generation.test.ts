import { expect, it } from '@jest/globals';
import type { Entry } from './entry.js';
import { L1 } from './l1.js';

it('a list that nobody asked for while its invalidation was remembered is old when that is forgotten', () => {
  let now = 0;
  const l1 = new L1({ maxBytes: 1e6, tombstoneMs: 1_000, clock: () => now });
  const entry: Entry = {
    bytes: Buffer.from('[]'),
    version: null,
    position: 100n,
    seen: 100n,
    tenantId: 'ten',
    status: 200,
    filledAt: Date.now(),
    ttlMs: 600_000,
  };
  l1.advance(90n);
  l1.fill('list', entry, 'ten');
  l1.invalidateLists('ten', 115n);
  l1.advance(120n);
  for (const position of [130n, 140n, 150n]) {
    now += 2_000;
    l1.advance(position);
  }
  // Committed at 110, told as 115, and the generation is behind the floor.
  expect(l1.get('list', 'ten', 110n)).toBeUndefined();
  expect(l1.get('list', 'ten', 100n)).toBe(entry);
});
