import { expect, it } from '@jest/globals';
import type { Entry } from './entry.js';
import { L1 } from './l1.js';

it('treats a list as old that was not read until its list generation was forgotten', () => {
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
  // Committed at 110 and invalidated at 115. The list generation is behind the floor now.
  expect(l1.get('list', 'ten', 110n)).toBeUndefined();
  expect(l1.get('list', 'ten', 100n)).toBe(entry);
});
