/** One exported metric. `labels` excludes `le` and the labels that Prometheus adds. */
export interface Metric {
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** The apps that export it. */
  readonly jobs: readonly string[];
}
export type MetricsList = Readonly<Record<string, Metric>>;

interface Collected {
  type: string;
  help: string;
  labels: Set<string>;
  jobs: Set<string>;
}

const ANNOUNCED = /^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$/gm;
const SERIES = /^([a-z_0-9]+?)(_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/gm;
const LABEL = /(\w+)="(?:[^"\\]|\\.)*"/g;

/** Collects the metrics from several texts of `/metrics`. */
export class MetricsCollector {
  readonly #metrics = new Map<string, Collected>();
  readonly #seen = new Set<string>();

  add(job: string, text: string): void {
    for (const [, name = '', help = '', type = ''] of text.matchAll(ANNOUNCED)) {
      const metric = this.#metrics.get(name) ?? { type, help, labels: new Set(), jobs: new Set() };
      if (metric.type !== type || metric.help !== help)
        throw new Error(`${name} has two different definitions`);
      metric.jobs.add(job);
      this.#metrics.set(name, metric);
    }
    for (const [, base = '', suffix = '', labels = ''] of text.matchAll(SERIES)) {
      const name = this.#metrics.has(base + suffix) ? base + suffix : base;
      const metric = this.#metrics.get(name);
      if (!metric) throw new Error(`${base}${suffix} has no # TYPE`);
      this.#seen.add(name);
      for (const [, label = ''] of labels.matchAll(LABEL)) if (label !== 'le') metric.labels.add(label);
    }
  }

  /** Names without any series yet, whose labels are unknown. */
  get unseen(): string[] {
    return [...this.#metrics.keys()].filter((name) => !this.#seen.has(name)).sort();
  }

  /** The list. Metrics without a series take their labels from `before`. */
  list(before: MetricsList): MetricsList {
    const sorted = [...this.#metrics].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      sorted.map(([name, { type, help, labels, jobs }]) => {
        const known = this.#seen.has(name) ? [...labels].sort() : (before[name]?.labels ?? []);
        return [name, { type, help, labels: known, jobs: [...jobs].sort() }];
      }),
    );
  }
}
