/**
 * Histograms for values that every request records. The SDK looks the labels up by their JSON each time, which costs
 * more than some answers do. Here the caller looks a series up once, and a record is two additions.
 */
import { ValueType } from '@opentelemetry/api';
import { AggregationTemporality, DataPointType, type HistogramMetricData } from '@opentelemetry/sdk-metrics';

type SeriesLabels = Readonly<Record<string, string>>;

const histograms: SeriesHistogram[] = [];

/** One set of labels of a histogram. */
export class Series {
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(
    readonly labels: SeriesLabels,
    private readonly buckets: readonly number[],
  ) {
    this.counts = new Array<number>(buckets.length + 1).fill(0);
  }

  record(value: number): void {
    let bucket = 0;
    while (bucket < this.buckets.length && value > (this.buckets[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
    this.count += 1;
  }
}

/** Comes out as any other histogram; `name` and `buckets` as there. */
export class SeriesHistogram {
  readonly #series: Series[] = [];

  constructor(
    private readonly name: string,
    private readonly help: string,
    private readonly buckets: readonly number[],
  ) {
    histograms.push(this);
  }

  /** A new series. The caller keeps it. */
  series(labels: SeriesLabels): Series {
    const series = new Series(labels, this.buckets);
    this.#series.push(series);
    return series;
  }

  data(): HistogramMetricData {
    return {
      descriptor: { name: this.name, description: this.help, unit: '', valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: this.#series.map(({ labels, sum, count, counts }) => ({
        startTime: [0, 0],
        endTime: [0, 0],
        attributes: labels,
        value: { sum, count, buckets: { boundaries: [...this.buckets], counts: [...counts] } },
      })),
    };
  }
}

/** All of them, for the registry. */
export function seriesData(): HistogramMetricData[] {
  return histograms.map((histogram) => histogram.data());
}
