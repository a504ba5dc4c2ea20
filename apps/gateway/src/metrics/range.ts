import { ServiceError, type FieldError } from '@novacron/contracts/errors';
import { alignedToStep } from '@novacron/contracts/metrics';

const HOUR_MS = 3_600_000;
/** Steps that people read easily, in seconds. */
const STEPS = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800,
];
const POINTS_AIMED_AT = 120;
const MAX_POINTS = 11_000;

/**
 * Completes a range query: by default the last hour, with a step for about 120 points. A default `from` is a multiple of
 * the step, so that the same query a moment later has the same buckets, except for the last one.
 * @throws ServiceError `invalid_request` when the range is empty, reversed, or has too many points
 */
export function rangeOf(
  given: { from?: number | undefined; to?: number | undefined; step?: number | undefined },
  now = Date.now(),
): { from: number; to: number; step: number } {
  const to = given.to ?? (given.from === undefined ? now : Math.max(now, given.from + 1));
  const since = given.from ?? Math.max(0, to - HOUR_MS);
  const wish = (to - since) / 1_000 / POINTS_AIMED_AT;
  const step = given.step ?? STEPS.find((candidate) => candidate >= wish) ?? (STEPS.at(-1) as number);
  const from = given.from ?? alignedToStep(since, step);
  const seconds = (to - from) / 1_000;
  const wrong: FieldError[] = [];
  if (from >= to) wrong.push({ path: '/query/from', message: 'must be before to' });
  if (seconds / step > MAX_POINTS) wrong.push({ path: '/query/step', message: tooManyPoints(seconds) });
  if (wrong.length > 0)
    throw new ServiceError('invalid_request', 'The range cannot be answered.', { errors: wrong });
  return { from, to, step };
}

function tooManyPoints(seconds: number): string {
  return `at most ${MAX_POINTS} points: take a step of ${Math.ceil(seconds / MAX_POINTS)} seconds or more`;
}
