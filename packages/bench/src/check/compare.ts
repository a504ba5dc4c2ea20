import type { Measurement } from '../benchmark.js';
import { quantile } from '../stats.js';
import { type Baseline, ratiosOf } from './baseline.js';

export type Verdict =
  'ok' | 'better' | 'worse' | 'not in the baseline' | 'not measured' | 'other unit of measure';

export interface Finding {
  readonly name: string;
  readonly verdict: Verdict;
  readonly then?: number;
  readonly now?: number;
  /** the middle half of the rounds' ratios */
  readonly quartiles?: readonly [number, number];
}

export function isFailure({ verdict }: Finding): boolean {
  return verdict !== 'ok' && verdict !== 'better';
}

/**
 * Worse is what three quarters of the rounds show: their ratios lie above the baseline's median by more than
 * the limit, 0.1 for 10 %. So a run whose rounds spread widely needs a larger change to be called worse. Every ratio here is a
 * cost over the cost of a fixed piece of work. A name on one side only is a failure: a benchmark that went
 * away, or was renamed, guards nothing.
 */
export function compare(
  { measurements: known }: Pick<Baseline, 'measurements'>,
  measured: readonly Measurement[],
  limit: number,
): Finding[] {
  const missing = Object.keys(known).filter((name) => !measured.some((one) => one.name === name));
  return [
    ...measured.map((one) => judge(one, known[one.name], limit)),
    ...missing.map((name) => ({ name, verdict: 'not measured' as const })),
  ];
}

function judge(
  one: Measurement,
  known: Baseline['measurements'][string] | undefined,
  limit: number,
): Finding {
  const { name } = one;
  const ratios = ratiosOf(one);
  const now = quantile(ratios, 0.5);
  const quartiles = [quantile(ratios, 0.25), quantile(ratios, 0.75)] as const;
  if (known === undefined) return { name, verdict: 'not in the baseline', now, quartiles };
  const found = { name, then: known.ratio, now, quartiles };
  if (known.against !== one.baseline?.what) return { ...found, verdict: 'other unit of measure' };
  if (quartiles[0] > known.ratio * (1 + limit)) return { ...found, verdict: 'worse' };
  return { ...found, verdict: quartiles[1] < known.ratio * (1 - limit) ? 'better' : 'ok' };
}

const HEAD = ['measurement', 'ratio', 'baseline', 'change', 'middle half of the rounds', ''];
const digits = (value: number | undefined) => (value === undefined ? '' : value.toPrecision(3));

/** The table for people. */
export function findingsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ name, verdict, then, now, quartiles }) => [
    name,
    digits(now),
    digits(then),
    then === undefined || now === undefined
      ? ''
      : `${now >= then ? '+' : ''}${((now / then - 1) * 100).toFixed(1)} %`,
    quartiles ? quartiles.map(digits).join(' – ') : '',
    isFailure({ name, verdict }) ? `FAILED: ${verdict}` : verdict,
  ]);
  const widths = HEAD.map((_, at) => Math.max(...[HEAD, ...rows].map((cells) => (cells[at] ?? '').length)));
  return [HEAD, ...rows]
    .map(
      (cells) =>
        `${cells
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
