const TICK_MS = 50;
let lastTick = performance.now();
let delayMs = 0;

/** Starts with the first call and never keeps the process alive. */
let ticking: NodeJS.Timeout | undefined;

/**
 * How long a message that arrives now may have waited, because the process was stopped or its event loop was blocked.
 * Usually zero. After a stall the loop may read its sockets before the tick that measures the stall. So an overdue tick
 * counts as well.
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
