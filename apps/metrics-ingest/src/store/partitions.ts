import type { Database, Statement } from '@novacron/postgres/database';
import type { Series } from './series-buffer.js';
import { covers, HOUR, missingSpans, spanFor, widthFor, type Span } from './partition-plan.js';

export interface PartitionsOptions {
  /** Points older than this are dropped, by the ingester and in the store. Milliseconds. */
  readonly retentionMs: number;
  /** A point further in the future comes from a wrong clock. Milliseconds. */
  readonly futureMs: number;
  readonly now?: () => number;
}

const SPANS: Statement = {
  name: 'metrics_spans',
  text: 'SELECT from_ts::float8 AS "from", to_ts::float8 AS "to" FROM metrics.partitions ORDER BY from_ts',
};
const ADD: Statement = {
  name: 'metrics_add_partition',
  text: 'SELECT metrics.add_partition($1, $2)',
  table: 'partitions',
};
const DROP: Statement = {
  name: 'metrics_drop_partitions',
  text: 'SELECT metrics.drop_partitions($1, 8) AS dropped',
  table: 'partitions',
};
const SUMMARIZE: Statement = {
  name: 'metrics_summarize',
  text: 'SELECT metrics.summarize_partitions($1::bigint[])',
  table: 'partitions',
};
const ROWS: Statement = {
  name: 'metrics_rows',
  text: 'SELECT sum(rows)::float8 AS rows FROM metrics.intake',
};

/** Partitions are created this far ahead, so that no write waits for a table. */
const AHEAD_MS = 2 * HOUR;
/** The rate is measured over at least this time. */
const RATE_OVER_MS = 60_000;

/** The time partitions of metrics.points: created ahead and for late points, summarised, dropped after the retention. */
export class Partitions {
  readonly #now: () => number;
  #spans: Span[] = [];
  #touched = new Set<number>();
  #rate: number | undefined;
  #counted: { rows: number; at: number } | undefined;

  constructor(
    private readonly db: Database,
    private readonly options: PartitionsOptions,
  ) {
    this.#now = options.now ?? Date.now;
  }

  /** The times of points that are accepted, in milliseconds since 1970. */
  window(): { oldest: number; newest: number } {
    const now = this.#now();
    return { oldest: now - this.options.retentionMs, newest: now + this.options.futureMs };
  }

  /** Rows per second of all ingesters in the last minute; undefined while it is unknown. */
  get rowsPerSecond(): number | undefined {
    return this.#rate;
  }

  /** Creates the partitions that these points need. */
  async ensureFor(series: readonly Series[]): Promise<void> {
    const spansRead = this.#spans;
    for (const { times } of series) {
      let span: Span | undefined;
      for (const time of times) {
        if (span && time >= span.from && time < span.to) continue;
        span = this.#find(time) ?? (await this.#make(time));
        this.#touched.add(span.from);
      }
    }
    if (spansRead !== this.#spans)
      this.#touched = new Set([...this.#touched].filter((from) => this.#find(from)));
  }

  /** Periodic work: creates partitions ahead, indexes written blocks, drops old partitions. */
  async maintain(): Promise<void> {
    await this.#measure();
    await this.#read();
    const now = this.#now();
    for (const span of missingSpans(now, now + AHEAD_MS, widthFor(this.#rate), this.#spans))
      await this.#add(span);
    await this.#summarize();
    await this.#drop(now - this.options.retentionMs);
  }

  #find(time: number): Span | undefined {
    return covers(this.#spans, time)
      ? this.#spans.find(({ from, to }) => from <= time && time < to)
      : undefined;
  }

  async #make(time: number): Promise<Span> {
    // Another process may have created or dropped some.
    await this.#read();
    const made = this.#find(time);
    if (made) return made;
    await this.#add(spanFor(time, this.#now(), widthFor(this.#rate), this.#spans));
    const span = this.#find(time);
    if (!span) throw new Error(`no partition for ${new Date(time).toISOString()} could be created`);
    return span;
  }

  async #add(span: Span): Promise<void> {
    await this.db.primary.batch({}, [{ statement: ADD, params: [span.from, span.to] }]);
    await this.#read();
  }

  async #read(): Promise<void> {
    this.#spans = (await this.db.primary.query<Span>(SPANS)).rows;
  }

  async #summarize(): Promise<void> {
    const touched = [...this.#touched];
    if (touched.length === 0) return;
    this.#touched = new Set();
    await this.db.primary.batch({}, [{ statement: SUMMARIZE, params: [touched] }]);
  }

  /** Drops nothing when the lock is not free at once; the next round retries. */
  async #drop(before: number): Promise<void> {
    if (!this.#spans.some(({ to }) => to <= before)) return;
    await this.db.primary.batch({}, [{ statement: DROP, params: [before] }]);
    await this.#read();
  }

  async #measure(): Promise<void> {
    const { rows } = await this.db.primary.query<{ rows: number }>(ROWS);
    const count = { rows: rows[0]?.rows ?? 0, at: this.#now() };
    const before = this.#counted;
    if (before && count.at - before.at < RATE_OVER_MS) return;
    if (before) this.#rate = ((count.rows - before.rows) * 1_000) / (count.at - before.at);
    this.#counted = count;
  }
}
