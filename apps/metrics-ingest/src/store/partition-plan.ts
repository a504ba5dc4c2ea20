const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/**
 * The widths that a time partition may have, each a multiple of the one before, all counted from 1970. So any two
 * partitions are disjoint or nested, and every time has a fitting one.
 */
const WIDTHS = [15 * MINUTE, HOUR, 6 * HOUR, DAY, 30 * DAY] as const;
const NARROWEST = WIDTHS[0];

/** The maximum of rows with which a partition can be sealed, vacuumed or scanned in seconds (about 1.8 GB). */
const ROWS_PER_PARTITION = 20_000_000;
/** A point this late goes into a wider partition, so that a year of late points makes dozens of tables, not thousands. */
const LATE = 2 * DAY;
const VERY_LATE = 60 * DAY;

/** A partition's times in milliseconds since 1970, the end excluded. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The width of the next partitions: as wide as possible with at most {@link ROWS_PER_PARTITION}. An idle fleet makes one
 * table a day and a busy one four an hour.
 * @param rowsPerSecond of all ingesters together; undefined while it is unknown
 */
export function widthFor(rowsPerSecond: number | undefined): number {
  if (rowsPerSecond === undefined) return HOUR;
  const fitting = [DAY, 6 * HOUR, HOUR].find((width) => (rowsPerSecond * width) / 1000 <= ROWS_PER_PARTITION);
  return fitting ?? NARROWEST;
}

/** Whether a partition contains the time; `spans` are sorted and disjoint. */
export function covers(spans: readonly Span[], time: number): boolean {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((spans[middle] as Span).to <= time) low = middle + 1;
    else high = middle;
  }
  return low < spans.length && (spans[low] as Span).from <= time;
}

/**
 * The partition to create for a time without one: of the width for its age and the rate, narrower where a part of that
 * exists already.
 */
export function spanFor(time: number, now: number, preferred: number, spans: readonly Span[]): Span {
  const age = now - time;
  const wanted = age > VERY_LATE ? 30 * DAY : age > LATE ? Math.max(DAY, preferred) : preferred;
  for (const width of WIDTHS.filter((one) => one <= wanted).reverse()) {
    const from = Math.floor(time / width) * width;
    const span = { from, to: from + width };
    if (!spans.some((taken) => taken.from < span.to && taken.to > span.from)) return span;
  }
  throw new Error(`${new Date(time).toISOString()} has a partition already`);
}

/**
 * The partitions to create so that every time from `now` to `until` has one.
 * @param spans sorted; not modified
 */
export function missingSpans(now: number, until: number, preferred: number, spans: readonly Span[]): Span[] {
  const made: Span[] = [];
  const all = [...spans];
  for (let time = now; time <= until;) {
    if (!covers(all, time)) {
      const span = spanFor(time, now, preferred, all);
      made.push(span);
      all.push(span);
      all.sort((a, b) => a.from - b.from);
    }
    time = (all.find((span) => span.from <= time && time < span.to) as Span).to;
  }
  return made;
}
