import type { Clock } from './clock.js';

/** Calls `fn` every `ms`, the first time after a random part of `ms`, without overlap. @returns a function that stops it */
export function repeat(clock: Clock, ms: number, fn: () => Promise<void>): () => void {
  let stopped = false;
  let cancel = clock.after(ms * Math.random(), turn);
  function turn(): void {
    const startedAt = clock.now();
    void fn().finally(() => {
      if (!stopped) cancel = clock.after(Math.max(0, startedAt + ms - clock.now()), turn);
    });
  }
  return () => {
    stopped = true;
    cancel();
  };
}
