/** One metric as the services export it; `labels` without those that Prometheus adds and `le`. */
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

/** What texts of `/metrics` hold together. */
export class MetricsCollector {
  readonly #metrics = new Map<string, Collected>();
  readonly #seen = new Set<string>();

  add(job: string, text: string): void {
    for (const [, name = '', help = '', type = ''] of text.matchAll(ANNOUNCED)) {
      const metric = this.#metrics.get(name) ?? { type, help, labels: new Set(), jobs: new Set() };
      if (metric.type !== type || metric.help !== help) throw new Error(`${name} is two different metrics`);
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

  /** Names of which no series was there yet: their labels are not known. */
  get unseen(): string[] {
    return [...this.#metrics.keys()].filter((name) => !this.#seen.has(name)).sort();
  }

  /** The list; labels of metrics without a series are those of `before`. */
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
