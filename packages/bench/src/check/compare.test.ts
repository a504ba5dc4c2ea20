import { expect, it } from '@jest/globals';
import type { Measurement } from '../benchmark.js';
import { compare, findingsTable } from './compare.js';

const known = (ratio: number) => ({ against: 'work', ratio, ratios: [ratio] });

function measured(name: string, ...ratios: number[]): Measurement {
  const baseline = { what: 'work', value: 2, samples: ratios.map(() => 2) };
  return { name, value: 0, unit: 'µs', samples: ratios.map((ratio) => ratio * 2), baseline };
}

const verdicts = (names: Record<string, number>, ...all: Measurement[]) => {
  const baseline = Object.fromEntries(Object.entries(names).map(([name, ratio]) => [name, known(ratio)]));
  return compare({ measurements: baseline }, all, 0.1).map(({ name, verdict }) => [name, verdict]);
};

it('calls worse what three quarters of the rounds show, more than a tenth above the baseline', () => {
  expect(verdicts({ a: 1 }, measured('a', 1.09, 1.09, 1.09, 1.09))).toEqual([['a', 'ok']]);
  expect(verdicts({ a: 1 }, measured('a', 1.12, 1.12, 1.13, 1.14))).toEqual([['a', 'worse']]);
  // As bad in the middle, but the rounds do not agree.
  expect(verdicts({ a: 1 }, measured('a', 0.9, 1, 1.12, 1.3, 1.9))).toEqual([['a', 'ok']]);
});

it('says what got better, and does not fail on it', () => {
  expect(verdicts({ a: 1 }, measured('a', 0.8, 0.8, 0.85))).toEqual([['a', 'better']]);
});

it('fails when a benchmark is gone, has another name, or is held against something else', () => {
  expect(verdicts({ a: 1, b: 1 }, measured('a', 1), measured('c', 1))).toEqual([
    ['a', 'ok'],
    ['c', 'not in the baseline'],
    ['b', 'not measured'],
  ]);
  const other = measured('a', 1);
  const against = { ...other, baseline: { what: 'less work', value: 2, samples: [2] } };
  expect(verdicts({ a: 1 }, against)).toEqual([['a', 'other unit of measure']]);
});

it('refuses a measurement that is held against nothing', () => {
  expect(() => verdicts({ a: 1 }, { name: 'a', value: 1, unit: 'µs', samples: [1] })).toThrow(
    'against nothing',
  );
});

it('shows ratio, baseline and change, and which failed', () => {
  const findings = compare({ measurements: { a: known(1) } }, [measured('a', 1.5, 1.5)], 0.1);
  expect(findingsTable(findings)).toMatch(/^a +1\.50 +1\.00 +\+50\.0 % +1\.50 – 1\.50 +FAILED: worse$/m);
});
