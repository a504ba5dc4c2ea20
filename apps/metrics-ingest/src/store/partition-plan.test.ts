import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { covers, DAY, HOUR, missingSpans, spanFor, widthFor, type Span } from './partition-plan.js';

const now = Date.UTC(2026, 10, 23, 16, 30);
const year = 365 * DAY;

describe('time partitions', () => {
  it('contain the points of any order, and never overlap', () => {
    const times = fc.array(fc.integer({ min: now - year, max: now + HOUR }), { maxLength: 60 });
    fc.assert(
      fc.property(times, fc.constantFrom(0, 3_000, 9_000, 90_000), (all, rate) => {
        const spans: Span[] = [];
        for (const time of all) {
          if (covers(spans, time)) continue;
          spans.push(spanFor(time, now, widthFor(rate), spans));
          spans.sort((a, b) => a.from - b.from);
        }
        for (const time of all) expect(covers(spans, time)).toBe(true);
        for (let i = 1; i < spans.length; i++)
          expect(spans[i]?.from).toBeGreaterThanOrEqual(spans[i - 1]?.to ?? 0);
      }),
    );
  });

  it('leave no gap ahead when the width changes in the middle of a day', () => {
    const hourly = missingSpans(now, now + 2 * HOUR, HOUR, []);
    expect(hourly).toHaveLength(3);
    const wider = missingSpans(now, now + DAY, DAY, hourly);
    const all = [...hourly, ...wider].sort((a, b) => a.from - b.from);
    for (let time = now; time <= now + DAY; time += 10 * 60_000) expect(covers(all, time)).toBe(true);
  });

  it('are narrow for a busy fleet, and one table a day for an idle one', () => {
    expect(widthFor(10)).toBe(DAY);
    expect(widthFor(800)).toBe(6 * HOUR);
    expect(widthFor(5_500)).toBe(HOUR);
    expect(widthFor(200_000)).toBe(HOUR / 4);
  });

  it('are dozens of tables for a year of late points, not thousands', () => {
    const spans: Span[] = [];
    for (let time = now - year; time < now; time += HOUR) {
      if (covers(spans, time)) continue;
      spans.push(spanFor(time, now, HOUR, spans));
      spans.sort((a, b) => a.from - b.from);
    }
    expect(spans.length).toBeLessThan(130);
  });
});
