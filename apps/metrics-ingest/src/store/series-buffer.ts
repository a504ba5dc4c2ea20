/** The points of one VM's metric in one write. */
export interface Series {
  readonly tenantId: string;
  readonly vmId: string;
  readonly metricId: number;
  /** Milliseconds since 1970, and the values of those times. */
  readonly times: number[];
  readonly values: number[];
  /** The stream generation and the stream sequence of each point. */
  readonly streamGenerations: number[];
  readonly seqs: number[];
}

export function newSeries(tenantId: string, vmId: string, metricId: number): Series {
  return { tenantId, vmId, metricId, times: [], values: [], streamGenerations: [], seqs: [] };
}

/**
 * Collects the points of one write by series. Points are added in the order of their positions: of two at one time the
 * later addition counts.
 */
export class SeriesBuffer {
  readonly #byVm = new Map<string, Map<number, Series>>();
  #points = 0;

  get points(): number {
    return this.#points;
  }

  /** The series of a VM's metric, created with its first point. */
  series(tenantId: string, vmId: string, metricId: number): Series {
    let ofVm = this.#byVm.get(vmId);
    if (!ofVm) this.#byVm.set(vmId, (ofVm = new Map<number, Series>()));
    let series = ofVm.get(metricId);
    if (!series) ofVm.set(metricId, (series = newSeries(tenantId, vmId, metricId)));
    return series;
  }

  add(series: Series, time: number, value: number, streamGeneration: number, seq: number): void {
    series.times.push(time);
    series.values.push(value);
    series.streamGenerations.push(streamGeneration);
    series.seqs.push(seq);
    this.#points++;
  }

  /** Every series, sorted by VM and metric, each in order of time with one point per time. */
  sorted(): Series[] {
    const vms = [...this.#byVm.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
    return vms.flatMap(([, metrics]) =>
      [...metrics.values()]
        .filter((s) => s.times.length > 0)
        .sort((a, b) => a.metricId - b.metricId)
        .map(inOrder),
    );
  }
}

function inOrder(series: Series): Series {
  const { times } = series;
  let ordered = true;
  for (let i = 1; ordered && i < times.length; i++) ordered = (times[i] as number) > (times[i - 1] as number);
  if (ordered) return series;
  const order = times.map((_, i) => i).sort((a, b) => (times[a] as number) - (times[b] as number) || a - b);
  const kept = order.filter((at, i) => times[at] !== times[order[i + 1] as number]);
  const pick = (column: readonly number[]) => kept.map((i) => column[i] as number);
  return {
    ...series,
    times: pick(times),
    values: pick(series.values),
    streamGenerations: pick(series.streamGenerations),
    seqs: pick(series.seqs),
  };
}
