import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until `good` is content; throws with the last answer when it is not within `withinMs`. A throwing `read` is asked again. */
export async function eventually<T>(
  read: () => Promise<T>,
  good: (value: T) => boolean,
  withinMs = 45_000,
  everyMs = 200,
): Promise<T> {
  let last: unknown;
  for (const until = Date.now() + withinMs; ; await sleep(everyMs)) {
    try {
      const value = await read();
      if (good(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) {
      const seen = last instanceof Error ? String(last) : JSON.stringify(last);
      throw new Error(`not within ${withinMs} ms; last seen: ${seen?.slice(0, 2_000)}`);
    }
  }
}
