// The existing series: the services export them (the committed list), rules record them, or Prometheus makes them.
import { asksFor } from './promql.mjs';

/** Every scraped series has these. */
const TARGET_LABELS = ['job', 'instance'];
/** Prometheus' own series, and those of node_exporter. */
const FOREIGN = /^(up|scrape_duration_seconds|ALERTS|node_\w+)$/;

/** Checks that queries select existing series. `list`: metrics.generated.json; `recorded`: names of recording rules. */
export class KnownMetrics {
  #series = new Map();
  #labels = new Set(TARGET_LABELS);
  #recorded;

  constructor(list, recorded) {
    this.#recorded = new Set(recorded);
    for (const [name, { type, labels, jobs }] of Object.entries(list)) {
      const known = { jobs, labels: new Set([...labels, ...TARGET_LABELS]) };
      for (const label of labels) this.#labels.add(label);
      if (type !== 'histogram') {
        this.#series.set(name, known);
        continue;
      }
      for (const suffix of ['_sum', '_count']) this.#series.set(name + suffix, known);
      this.#series.set(`${name}_bucket`, { jobs, labels: new Set([...known.labels, 'le']) });
    }
    this.#labels.add('le');
  }

  /** Returns the faults of a query, one line each. */
  mistakesIn(query) {
    const { selectors, grouping, errors } = asksFor(query);
    if (selectors.every(({ name }) => name !== undefined && FOREIGN.test(name))) return errors;
    const wrong = [...errors, ...selectors.flatMap((selector) => this.#mistakesOf(selector))];
    const own = selectors.map(({ name }) => this.#series.get(name)).filter(Boolean);
    const open = own.length < selectors.length;
    for (const label of grouping) {
      const has = own.some(({ labels }) => labels.has(label)) || (open && this.#labels.has(label));
      if (!has) wrong.push(`no series of it has the label ${String(label)}`);
    }
    return wrong;
  }

  #mistakesOf({ name, matchers }) {
    if (name === undefined) return ['a selector without a name'];
    if (FOREIGN.test(name)) return [];
    const series = this.#series.get(name);
    const recorded = this.#recorded.has(name);
    if (!series && !recorded) return [`no service exports ${name}`];
    return matchers.flatMap(({ label, operator, value }) => {
      if (!(series?.labels ?? this.#labels).has(label)) return [`${name} has no label ${label}`];
      const isForeign = label === 'job' && operator === '=' && series && !series.jobs.includes(value);
      return isForeign && !value.startsWith('$') ? [`${value} does not export ${name}`] : [];
    });
  }
}
