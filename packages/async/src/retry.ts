import { Backoff, type BackoffOptions } from './backoff.js';
import { sleep } from './sleep.js';

export interface RetryOptions extends BackoffOptions {
  /** Attempts in all. Default: without limit. */
  readonly attempts?: number;
  /** Ends the retries, during a delay as well. An attempt that is under way is not interrupted. */
  readonly signal?: AbortSignal | undefined;
  /** False: the timers do not keep the process alive. Default true. */
  readonly ref?: boolean;
  /** Whether another attempt can succeed after this error. Default: after every error. */
  readonly retryIf?: (error: unknown) => boolean;
  /** Called before each delay with the error of the attempt. */
  readonly onRetry?: (error: unknown, delayMs: number) => void;
}

/**
 * Runs `work` until an attempt succeeds.
 * @param work receives the number of the attempt, from 1
 * @throws the error of the last attempt; the signal's reason when the signal is aborted first
 */
export async function retry<T>(
  work: (attempt: number) => T | Promise<T>,
  options: RetryOptions,
): Promise<Awaited<T>> {
  const { attempts = Infinity, signal, ref = true, retryIf, onRetry } = options;
  const backoff = new Backoff(options);
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt >= attempts || retryIf?.(error) === false) throw error;
      const delayMs = backoff.next();
      onRetry?.(error, delayMs);
      await sleep(delayMs, { signal, ref });
    }
  }
}
