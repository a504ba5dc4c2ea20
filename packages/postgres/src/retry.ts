import { isRetryable } from './failure.js';

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 5;

/**
 * Runs `work`, which opens a fresh transaction each time, again after a serialization failure or deadlock:
 * at most five times, with a growing, random pause.
 * @param also other errors that a fresh transaction may not meet again
 */
export async function withRetry<T>(
  work: () => Promise<T>,
  attempts = ATTEMPTS,
  also: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(isRetryable(error) || also(error)) || attempt >= attempts) throw error;
      const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
