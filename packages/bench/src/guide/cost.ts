import type { Measurement } from '../benchmark.js';
import { median } from '../stats.js';

/** What something takes, over what a fixed piece of work beside it takes: more is worse. A sample for each round. */
export function cost(
  name: string,
  unit: string,
  samples: readonly number[],
  what: string,
  baseline: readonly number[],
): Measurement {
  return {
    name: `guide.${name}`,
    value: median(samples),
    unit,
    samples,
    baseline: { what, value: median(baseline), samples: baseline },
    ratio: median(samples.map((value, at) => value / (baseline[at] ?? NaN))),
  };
}
