import { setTimeout as sleep } from 'node:timers/promises';

/** How long a test waits for a fact: only one that fails waits so long, a slow machine is no failure. */
const PATIENCE_MS = 45_000;

/** Waits until `fact` holds; `context` tells what a failure should show. */
export async function until(
  fact: () => boolean | Promise<boolean>,
  withinMs = PATIENCE_MS,
  context: () => string = () => '',
): Promise<void> {
  for (const deadline = performance.now() + withinMs; !(await fact()); await sleep(10)) {
    if (performance.now() > deadline)
      throw new Error(`not so within ${withinMs} ms: ${fact.toString()}\n${context()}`);
  }
}

/** Tries `check` until it does not throw, and answers what it does. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = PATIENCE_MS): Promise<T> {
  for (const deadline = performance.now() + withinMs; ; await sleep(50)) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}
