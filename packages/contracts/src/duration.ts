import { z } from 'zod';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const PLAIN = /^\d{1,12}(\.\d{1,9})?$/;
const PATTERN = '^(\\d+(\\.\\d+)?|(\\d+(\\.\\d+)?(ms|[smhdw]))+)$';
const WITH_UNITS = /^(\d{1,12}(\.\d{1,9})?(ms|[smhdw]))+$/;

/** Parses `90` or `1.5` (seconds), `250ms`, `30s`, `5m`, `1h30m`, `2d`, `1w` to milliseconds. Other texts give NaN. */
export function parseDuration(text: string): number {
  if (PLAIN.test(text)) return Math.round(Number(text) * 1_000);
  if (!WITH_UNITS.test(text)) return NaN;
  const parts = [...text.matchAll(/([\d.]+)(ms|[smhdw])/g)];
  return Math.round(
    parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit as keyof typeof UNITS], 0),
  );
}

/**
 * A query parameter with a duration. It parses to whole milliseconds.
 * @param bounds in seconds; the duration must be a multiple of `step`
 * @param description for the OpenAPI document
 */
export function durationParameter(bounds: { min: number; max: number; step?: number }, description: string) {
  const { min, max, step } = bounds;
  const fits = (ms: number): boolean =>
    ms >= min * 1_000 && ms <= max * 1_000 && (step === undefined || ms % (step * 1_000) === 0);
  const whole = step === 1 ? 'a whole number of seconds' : 'seconds';
  const message = `${whole}, or a duration as 30s, 5m or 1h, from ${min} to ${max} seconds`;
  return z
    .string()
    .refine((text) => fits(parseDuration(text)), message)
    .meta({ description, pattern: PATTERN, examples: ['30', '1m'] })
    .transform(parseDuration);
}
