import { retry } from '@novacron/async/retry';
import { isRetryable } from './failure.js';

const ATTEMPTS = 5;
const DELAYS = { firstMs: 5, maxMs: 5_000, jitter: 0.5 };

/**
 * Runs `work`, which opens a fresh transaction each time, again after a serialization failure or deadlock:
 * at most five times, with a growing, random pause.
 * @param also other errors that a fresh transaction may not meet again
 */
export function withRetry<T>(
  work: () => Promise<T>,
  attempts = ATTEMPTS,
  also: (error: unknown) => boolean = () => false,
): Promise<Awaited<T>> {
  return retry(work, { ...DELAYS, attempts, retryIf: (error) => isRetryable(error) || also(error) });
}
