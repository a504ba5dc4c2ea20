/**
 * The metrics of this process. Instruments may be made at any time, also before telemetry starts: there is
 * one registry for each process, read as Prometheus text by {@link metricsText}.
 *
 * A name comes out exactly as it is given here. The exporter would append `_total` to a counter and squeeze
 * `__`; so such names are refused instead of changed.
 */
import type { Attributes } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, type MetricProducer } from '@opentelemetry/sdk-metrics';
import { seriesData } from './series.js';

export type Labels = Attributes;

/** Reports one value, for one set of labels, of an instrument that is read on demand. */
export type Observe = (value: number, labels?: Labels) => void;

export interface Counter {
  add(value?: number, labels?: Labels): void;
}
export interface Histogram {
  record(value: number, labels?: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}

const ownReader = new PrometheusExporter({ preventServerStart: true });
const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
const meter = new MeterProvider({ readers: [ownReader] }).getMeter('novacron');
/** The readers of the SDKs that run, the last one started last. */
const running = new Set<TextReader>();
/** Of every instrument of the meter: its `# HELP` and `# TYPE`. */
const announcements = new Map<string, string>();

/** The guide's buckets for HTTP, in seconds. */
export const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** The guide's buckets for database queries, in seconds. */
export const DATABASE_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/**
 * Something that only grows; the name ends in `_total`. `fromStart`: the series that are there from the start, at 0.
 * Of one that appears with its first event Prometheus sees no increase.
 */
export function counter(name: `${string}_total`, help: string, fromStart: readonly Labels[] = []): Counter {
  const instrument = meter.createCounter(announced(name, 'counter', help), { description: help });
  for (const labels of fromStart) instrument.add(0, labels);
  return { add: (value = 1, labels) => instrument.add(value, labels) };
}

/** A distribution; `buckets` are the upper bounds, in the unit that the name ends in. */
export function histogram(name: string, help: string, buckets: readonly number[]): Histogram {
  const instrument = meter.createHistogram(announced(name, 'histogram', help), {
    description: help,
    advice: { explicitBucketBoundaries: [...buckets] },
  });
  return { record: (value, labels) => instrument.record(value, labels) };
}

/** A value that goes up and down and is set. */
export function gauge(name: string, help: string): Gauge {
  const instrument = meter.createGauge(announced(name, 'gauge', help), { description: help });
  return { set: (value, labels) => instrument.record(value, labels) };
}

/** A gauge that is read only when the metrics are asked for. `read` must be quick and must not throw. */
export function observableGauge(name: string, help: string, read: (observe: Observe) => void): void {
  meter
    .createObservableGauge(announced(name, 'gauge', help), { description: help })
    .addCallback((result) => read((value, labels) => result.observe(value, labels)));
}

/** A counter whose total is kept elsewhere and read only when the metrics are asked for. */
export function observableCounter(
  name: `${string}_total`,
  help: string,
  read: (observe: Observe) => void,
): void {
  meter
    .createObservableCounter(announced(name, 'counter', help), { description: help })
    .addCallback((result) => read((value, labels) => result.observe(value, labels)));
}

/** What the readers of an SDK collect beside its own metrics: the instruments and series of this process. */
export const registry: MetricProducer = {
  async collect(options) {
    const { resourceMetrics, errors } = await ownReader.collect(options);
    const series = { scope: { name: 'novacron' }, metrics: seriesData() };
    return {
      resourceMetrics: { ...resourceMetrics, scopeMetrics: [...resourceMetrics.scopeMetrics, series] },
      errors,
    };
  },
};

/** The reader of an SDK that {@link metricsText} uses from its start to its shutdown. */
export class TextReader extends PrometheusExporter {
  constructor() {
    super({ preventServerStart: true, metricProducers: [registry] });
  }

  override onInitialized(): void {
    running.add(this);
  }

  override onShutdown(): Promise<void> {
    running.delete(this);
    return super.onShutdown();
  }
}

/**
 * All metrics of this process in the Prometheus text format. One that has no value yet is announced by its type, so
 * that what a process exports does not depend on what has happened to it.
 */
export async function metricsText(): Promise<string> {
  const { resourceMetrics, errors } = await ([...running].at(-1) ?? registry).collect();
  if (errors.length > 0) throw new AggregateError(errors, 'a metric could not be read');
  const silent = new Map(announcements);
  for (const { metrics } of resourceMetrics.scopeMetrics)
    for (const { descriptor, dataPoints } of metrics)
      if (dataPoints.length > 0) silent.delete(descriptor.name);
  return serializer.serialize(resourceMetrics) + [...silent.values()].join('');
}

function announced(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): string {
  announcements.set(checked(name), `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  return name;
}

function checked(name: string): string {
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) throw new Error(`bad metric name: ${name}`);
  return name;
}
