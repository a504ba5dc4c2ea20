const TICK_MS = 50;
let lastTick = performance.now();
let delayMs = 0;

/** Starts with the first user and never keeps the process alive. */
let ticking: NodeJS.Timeout | undefined;

/**
 * For how long what arrives now may have waited for this process already: it was stopped, or busy with
 * something else. Zero most of the time. Timers run before sockets are read, so after a stall the tick has
 * measured it when the first message is seen.
 */
export function waitedForLoopMs(): number {
  ticking ??= setInterval(tick, TICK_MS).unref();
  return delayMs;
}

function tick(): void {
  const now = performance.now();
  delayMs = Math.max(0, now - lastTick - 2 * TICK_MS);
  lastTick = now;
}
