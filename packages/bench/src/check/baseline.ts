import { readFileSync, writeFileSync } from 'node:fs';
import type { Measurement } from '../benchmark.js';
import { describeMachine, type Machine } from '../machine.js';

interface Known {
  /** what the ratio is to */
  readonly against: string;
  readonly ratio: number;
  /** of the rounds */
  readonly ratios: readonly number[];
}

/** What `bench:check` holds a run against: ratios within one run, never times, which belong to a machine. */
export interface Baseline {
  readonly version: 1;
  /** RFC 3339 */
  readonly at: string;
  readonly machine: Machine;
  readonly measurements: Readonly<Record<string, Known>>;
}

/** Of each round. @throws when it has no baseline of its own */
export function ratiosOf({ name, samples, baseline }: Measurement): number[] {
  if (!baseline) throw new Error(`${name} is measured against nothing: it cannot be checked`);
  return samples.map((value, at) => value / (baseline.samples[at] ?? NaN));
}

const known = (one: Measurement): Known => ({
  against: one.baseline?.what ?? '',
  ratio: rounded(one.ratio ?? NaN),
  ratios: ratiosOf(one).map(rounded),
});

const rounded = (value: number) => Number(value.toPrecision(4));

export function writeBaseline(file: string, measurements: readonly Measurement[]): void {
  const baseline: Baseline = {
    version: 1,
    at: new Date().toISOString(),
    machine: describeMachine(),
    measurements: Object.fromEntries(measurements.map((one) => [one.name, known(one)])),
  };
  writeFileSync(file, `${JSON.stringify(baseline, null, 2)}\n`);
}

/** @throws when there is none, or it is of another version */
export function readBaseline(file: string): Baseline {
  let baseline: Baseline;
  try {
    baseline = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
  } catch (error) {
    throw new Error(
      `${file} is not a baseline (${(error as Error).message}); npm run bench:baseline writes one`,
      {
        cause: error,
      },
    );
  }
  if (baseline.version !== 1) throw new Error(`${file} is a baseline of version ${String(baseline.version)}`);
  return baseline;
}
