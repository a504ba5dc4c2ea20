/** The bound of a figure: of the figure itself, or of its ratio to the baseline of the same run. */
export interface Target {
  readonly of: 'value' | 'ratio';
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** One figure of a run, as it stands in a results file. */
export interface Measurement {
  /** `creates.rate`: the benchmark's name first; stays the same from release to release */
  readonly name: string;
  /** median of the samples */
  readonly value: number;
  readonly unit: string;
  readonly samples: readonly number[];
  /** measured in the same run, in turn with the value */
  readonly baseline?: { readonly what: string; readonly value: number; readonly samples: readonly number[] };
  /** value / baseline, the median of the rounds' ratios */
  readonly ratio?: number;
  readonly target?: Target;
  readonly note?: string;
}

export interface BenchContext {
  /** one line for the operator */
  readonly progress: (line: string) => void;
  /** shorter and fewer rounds: they show that a benchmark works, and are not for figures */
  readonly quick: boolean;
  /** where each process of a stack leaves its CPU profile when it ends */
  readonly profileDir?: string;
  /** `start` also measures a fresh clone */
  readonly cold: boolean;
}

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(context: BenchContext): Promise<Measurement[]>;
}

/** Whether the figure meets its target; undefined without one. */
export function meetsTarget({ value, ratio, target }: Measurement): boolean | undefined {
  if (!target) return undefined;
  const figure = target.of === 'ratio' ? ratio : value;
  if (figure === undefined) return false;
  return figure >= (target.atLeast ?? -Infinity) && figure <= (target.atMost ?? Infinity);
}
