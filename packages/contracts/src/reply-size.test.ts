import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jsonBytes, jsonTail, looksCut } from './reply-size.js';

describe('the end of a text', () => {
  const anyText = fc.string({ unit: fc.constantFrom('\u0001', '€', '"', 'a', '\n', '😀', '\\') });

  it('is the longest one that fits, and splits no character', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 2, max: 60 }), (text, max) => {
        const tail = jsonTail(text, max);
        expect(text.endsWith(tail)).toBe(true);
        expect(jsonBytes(tail)).toBeLessThanOrEqual(max);
        expect(tail.isWellFormed()).toBe(true);
        if (tail === text) return;
        const cut = text.slice(0, text.length - tail.length);
        const character = cut.slice(cut.at(-1)?.isWellFormed() ? -1 : -2);
        expect(jsonBytes(character + tail)).toBeGreaterThan(max);
        expect(looksCut(tail, max)).toBe(true);
      }),
      { numRuns: 2_000, examples: [['\u0001😀a', 7]] },
    );
  });

  it('counts control characters as six bytes', () => {
    expect(jsonTail('\u0001'.repeat(262_144), 786_432)).toHaveLength(131_071);
    expect(jsonTail('a'.repeat(262_144), 786_432)).toHaveLength(262_144);
  });
});
