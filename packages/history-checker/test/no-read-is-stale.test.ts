import { expect, it } from '@jest/globals';
import { seedSetting } from '@novacron/history-checker/config';
import { report } from '@novacron/history-checker/report';
import { runHistory } from '@novacron/history-checker/run';
import { note } from '@novacron/testkit/note';

const OPERATIONS = 100_000;
/** Two quiet cores need two to three minutes. */
const PATIENCE_MS = 900_000;

it(
  'no read is older than what its reader had written or observed, whatever breaks meanwhile',
  async () => {
    const seed = seedSetting() ?? Math.floor(Math.random() * 1_000_000_000);
    note(`seed ${seed}; NOVACRON_SEED=${seed} repeats it`);
    const result = await runHistory({ seed, operations: OPERATIONS, say: note });
    const text = report(seed, result);
    note(text.replaceAll('\n', '\n  '));
    expect(result.history.operations.length).toBeGreaterThanOrEqual(OPERATIONS);
    if (result.violations.length > 0) throw new Error(text);
  },
  PATIENCE_MS,
);
