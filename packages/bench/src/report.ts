import { writeFileSync } from 'node:fs';
import { meetsTarget, type Measurement } from './benchmark.js';
import type { Machine, Moment } from './machine.js';

/** One benchmark's part of a run. */
export interface Outcome {
  readonly benchmark: string;
  readonly before: Moment;
  readonly after: Moment;
  readonly measurements: readonly Measurement[];
  /** why it has no figures */
  readonly error?: string;
}

/** A results file. Compare files by the measurements' names, and ratios before values. */
export interface Report {
  readonly version: 1;
  /** RFC 3339 */
  readonly at: string;
  readonly machine: Machine;
  readonly quick: boolean;
  readonly outcomes: readonly Outcome[];
}

export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** Three significant digits. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function aim({ target, unit }: Measurement): string {
  if (!target) return '';
  const bound = target.atLeast === undefined ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
  return target.of === 'ratio' ? `${bound}×` : `${bound} ${unit}`;
}

function row(one: Measurement): string[] {
  const met = meetsTarget(one);
  return [
    one.name,
    `${digits(one.value)} ${one.unit}`,
    one.baseline ? digits(one.baseline.value) : '',
    one.ratio === undefined ? '' : `${one.ratio.toFixed(2)}×`,
    aim(one),
    met === undefined ? '' : met ? 'yes' : 'NO',
    `${digits(Math.min(...one.samples))} – ${digits(Math.max(...one.samples))}`,
  ];
}

const HEAD = ['measurement', 'median', 'baseline', 'ratio', 'target', 'met', 'samples'];

/** The table for people: a line for each figure, then what the machine was doing. */
export function table(report: Report): string {
  const rows = [HEAD, ...report.outcomes.flatMap(({ measurements }) => measurements.map(row))];
  const widths = HEAD.map((_, at) => Math.max(...rows.map((cells) => (cells[at] ?? '').length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const { cpus, cpu, memoryMiB, node, postgres, commit } = report.machine;
  const moments = report.outcomes.map(
    ({ benchmark, before, after, error }) =>
      `${benchmark}: load ${before.load} → ${after.load}, yardstick ${before.yardstickMs} → ${after.yardstickMs} ms` +
      (error ? `, FAILED: ${error}` : ''),
  );
  return [
    ...lines,
    '',
    `${report.at}, ${commit}: ${cpus} × ${cpu}, ${memoryMiB} MiB, Node ${node}, ${postgres}${report.quick ? '; QUICK' : ''}`,
    ...moments,
    '',
  ].join('\n');
}
