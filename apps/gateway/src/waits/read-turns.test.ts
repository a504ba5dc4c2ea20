import { describe, expect, it } from '@jest/globals';
import { ReadTurns } from './read-turns.js';

describe('a read of a wait', () => {
  it('has the rest of the time after its turn', async () => {
    let clock = 0;
    const turns = new ReadTurns(1, () => clock);
    let end = (): void => undefined;
    const first = turns.run(10_000, () => new Promise<void>((resolve) => (end = resolve)));
    const second = turns.run(10_000, async (leftMs) => leftMs);
    clock = 8_000;
    end();
    await first;
    expect(await second).toBe(2_000);
    expect(await turns.run(10_000, async (leftMs) => leftMs)).toBe(10_000);
  });
});
