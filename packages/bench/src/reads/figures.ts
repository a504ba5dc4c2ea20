import type { Measurement, Target } from '../benchmark.js';
import { median, quantile } from '../stats.js';

/** A measurement of which each round made one sample. */
export function figure(
  name: string,
  unit: string,
  samples: readonly number[],
  target?: Target,
  note?: string,
): Measurement {
  return {
    name: `reads.${name}`,
    value: median(samples),
    unit,
    samples,
    ...(target ? { target } : {}),
    ...(note === undefined ? {} : { note }),
  };
}

/** A quantile of the milliseconds of all rounds together: one round has too few for a p99. Samples are the rounds'. */
export function quantiles(
  name: string,
  rounds: readonly (readonly number[])[],
  share: number,
  target?: Target,
): Measurement {
  const samples = rounds.map((latencies) => quantile(latencies, share));
  const all = rounds.flat();
  const one = figure(`${name}-p${Math.round(share * 100)}`, 'ms', samples, target, `${all.length} samples`);
  return { ...one, value: quantile(all, share) };
}

/** A value and its baseline of the same rounds; `ratio` of one round's pair. */
export function against(
  one: Measurement,
  what: string,
  baseline: readonly number[],
  ratio: (value: number, base: number) => number,
): Measurement {
  const ratios = one.samples.map((value, at) => ratio(value, baseline[at] ?? NaN));
  return { ...one, baseline: { what, value: median(baseline), samples: baseline }, ratio: median(ratios) };
}
