import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Fleet } from '@novacron/history-checker/fleet';
import { report } from '@novacron/history-checker/report';
import { runHistory } from '@novacron/history-checker/run';
import type { SabotageName } from '@novacron/history-checker/sabotages';
import { note } from '@novacron/testkit/note';

/** Each bug must show within this number of operations. One or two thousand usually suffice. */
const OPERATIONS = 15_000;
const SEED = 20;
const PATIENCE_MS = 300_000;
/** Rules by which a read is older than its reader's knowledge. */
const STALE = [
  'older-than-known',
  'missing',
  'back-from-the-dead',
  'deleted-shown-alive',
  'strong-read-is-old',
];

let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start();
}, PATIENCE_MS);
afterAll(() => fleet?.stop(), PATIENCE_MS);

async function ruleBrokenBy(sabotage: SabotageName): Promise<string | undefined> {
  const options = { seed: SEED, operations: OPERATIONS, faults: false, untilStale: true, fleet };
  const result = await runHistory({ ...options, sabotage });
  const violations = result.violations.slice(0, 1);
  note(`${sabotage}: ${report(SEED, { ...result, violations }).replaceAll('\n', '\n  ')}`);
  return violations[0]?.rule;
}

describe('the checker finds the stale reads of a deliberate bug', () => {
  it(
    'a DEL instead of a tombstone',
    async () => expect(STALE).toContain(await ruleBrokenBy('del-instead-of-tombstone')),
    PATIENCE_MS,
  );

  it(
    'the replay position read inside the query',
    async () => expect(STALE).toContain(await ruleBrokenBy('position-inside-query')),
    PATIENCE_MS,
  );

  it(
    'a counter as list generation',
    async () => expect(STALE).toContain(await ruleBrokenBy('counter-as-generation')),
    PATIENCE_MS,
  );
});
