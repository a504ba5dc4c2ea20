const TICK_MS = 50;
let lastTick = performance.now();
let delayMs = 0;

/** Starts with the first user and never keeps the process alive. */
let ticking: NodeJS.Timeout | undefined;

/**
 * For how long what arrives now may have waited for this process already: it was stopped, or busy with
 * something else. Zero most of the time. After a stall the first message may be seen before the tick that measures
 * it (a loop that stood still among its timers reads its sockets next), so a tick that is overdue counts as well.
 */
export function waitedForLoopMs(): number {
  if (!ticking) {
    lastTick = performance.now();
    ticking = setInterval(tick, TICK_MS).unref();
  }
  return Math.max(delayMs, overdueMs());
}

function tick(): void {
  delayMs = overdueMs();
  lastTick = performance.now();
}

function overdueMs(): number {
  return Math.max(0, performance.now() - lastTick - 2 * TICK_MS);
}
