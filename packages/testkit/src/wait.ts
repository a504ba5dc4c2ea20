import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '@novacron/async/backoff';

/** The default time to wait. Long, because only a failing test waits so long, and a slow machine must not fail. */
const PATIENCE_MS = 45_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;

/** Repeats `attempt` until it is true. @throws the error of `failure` after `withinMs` */
async function poll(
  attempt: () => Promise<boolean>,
  withinMs: number,
  failure: () => unknown,
  longestPauseMs = LONGEST_PAUSE_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (const backoff = new Backoff({ firstMs: FIRST_PAUSE_MS, maxMs: longestPauseMs }); !(await attempt());) {
    if (performance.now() > deadline) throw failure();
    await sleep(backoff.next());
  }
}

/** Waits until `condition` holds. @param context more text for a failure */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = PATIENCE_MS,
  context: () => string = () => '',
): Promise<void> {
  const failure = () => new Error(`not within ${withinMs} ms: ${condition.toString()}\n${context()}`);
  // A short pause throughout, because a condition may hold only for a moment.
  await poll(async () => condition(), withinMs, failure, FIRST_PAUSE_MS);
}

/** Repeats `check` until it does not throw. @returns its result */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = PATIENCE_MS): Promise<T> {
  const results: T[] = [];
  let error: unknown;
  const attempt = async () => {
    try {
      results.push(await check());
    } catch (thrown) {
      error = thrown;
    }
    return results.length > 0;
  };
  await poll(attempt, withinMs, () => error);
  return results[0] as T;
}

/** Repeats `read`, also when it throws, until `accept` is true for its result. @returns the accepted result */
export function readUntil<T>(
  read: () => T | Promise<T>,
  accept: (value: T) => boolean,
  withinMs = PATIENCE_MS,
): Promise<T> {
  return eventually(async () => {
    const value = await read();
    if (accept(value)) return value;
    throw new Error(`not within ${withinMs} ms; last read: ${JSON.stringify(value)?.slice(0, 2_000)}`);
  }, withinMs);
}
