import type { Clock } from '../time/clock.js';
import { DriverError } from '../drivers/driver.js';

export interface OperationLimit {
  readonly what: string;
  readonly clock: Clock;
  /** Aborts the operation: here after its time, elsewhere when another command preempts it. */
  readonly abort: AbortController;
  readonly operationLimitMs: number;
  /** How long it may take to unwind after the abort. */
  readonly unwindMs: number;
  /** Called when it ignored the abort. */
  readonly onLeft: () => void;
}

/** Runs an operation within its time. An operation that ignores its abort is abandoned. Rejects with the abort's reason. */
export async function withinLimit<T>(operation: () => Promise<T>, limit: OperationLimit): Promise<T> {
  const { what, clock, abort, operationLimitMs, unwindMs, onLeft } = limit;
  const { promise: left, reject: leave } = Promise.withResolvers<never>();
  const overdue = () =>
    new DriverError('driver_error', `${what} took longer than ${operationLimitMs} ms`, true);
  const timers = [clock.after(operationLimitMs, () => abort.abort(overdue()))];
  const giveUp = () => {
    onLeft();
    leave(abort.signal.reason);
  };
  const onAbort = () => timers.push(clock.after(unwindMs, giveUp));
  abort.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([operation(), left]);
  } finally {
    abort.signal.removeEventListener('abort', onAbort);
    for (const cancel of timers) cancel();
  }
}
