import type { Clock } from '../time/clock.js';
import { DriverError } from '../drivers/driver.js';

export interface OperationLimit {
  readonly what: string;
  readonly clock: Clock;
  /** Ends the operation: by us when its time is over, by others when something overtakes it. */
  readonly abort: AbortController;
  readonly operationLimitMs: number;
  /** How long it may take to unwind once it was ended. */
  readonly unwindMs: number;
  /** It ignored its end. */
  readonly onLeft: () => void;
}

/** Runs an operation within its time; one that ignores its abort is left behind. Rejects with the abort's reason. */
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
