/** One statement, whatever its values, as often as it was slow. Durations in milliseconds. */
export interface SlowStatement {
  readonly text: string;
  readonly count: number;
  readonly totalMs: number;
  readonly maxMs: number;
  readonly minMs: number;
}

const LONGEST_TEXT = 1_000;

/**
 * Slow statements by their normalised text. At most `size` of them: a new one takes the place of the one with
 * the smallest total, which mattered least.
 */
export class SlowStatements {
  readonly #byText = new Map<string, { count: number; totalMs: number; maxMs: number; minMs: number }>();

  constructor(private readonly size: number) {}

  add(text: string, durationMs: number): void {
    const key = normalise(text);
    const known = this.#byText.get(key);
    if (!known) {
      if (this.#byText.size >= this.size) this.#dropLeast();
      this.#byText.set(key, { count: 1, totalMs: durationMs, maxMs: durationMs, minMs: durationMs });
      return;
    }
    known.count++;
    known.totalMs += durationMs;
    known.maxMs = Math.max(known.maxMs, durationMs);
    known.minMs = Math.min(known.minMs, durationMs);
  }

  /** The one that took most time in all first. */
  list(): SlowStatement[] {
    return [...this.#byText].map(([text, sums]) => ({ text, ...sums })).sort((a, b) => b.totalMs - a.totalMs);
  }

  #dropLeast(): void {
    let least: string | undefined;
    let total = Infinity;
    for (const [text, { totalMs }] of this.#byText) {
      if (totalMs >= total) continue;
      total = totalMs;
      least = text;
    }
    if (least !== undefined) this.#byText.delete(least);
  }
}

/** The statement without its values and its line breaks: two that differ in those alone are one. */
export function normalise(sql: string): string {
  return sql
    .slice(0, 4 * LONGEST_TEXT)
    .replace(/'(?:[^']|'')*'/g, '?')
    .replace(/\b\d+(?:\.\d+)?\b(?<!\$\d+)/g, '?')
    .replace(/\s+/g, ' ')
    .replace(/\(\s*\?(?:\s*,\s*\?)+\s*\)/g, '(?)')
    .trim()
    .slice(0, LONGEST_TEXT);
}
