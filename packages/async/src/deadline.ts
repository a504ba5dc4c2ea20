import pTimeout from 'p-timeout';

/** Timers of another clock, such as a virtual one. `setTimeout` returns what `clearTimeout` takes. */
export interface Timers {
  readonly setTimeout: (fn: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
}

/**
 * Runs `work` and rejects when it takes longer than `ms`. The work itself is not interrupted: its late result is
 * ignored. The timer is cleared when the work ends first.
 * @param late makes the error of a deadline that has passed
 */
export function withDeadline<T>(
  work: () => T | PromiseLike<T>,
  ms: number,
  late: () => Error,
  timers?: Timers,
): Promise<T> {
  return pTimeout(started(work), {
    ...base(ms, timers),
    fallback: () => {
      throw late();
    },
  });
}

/**
 * Waits for `work`, but no longer than `ms`.
 * @returns whether it has ended
 * @throws what `work` throws within that time
 */
export function endsWithin(work: () => unknown, ms: number, timers?: Timers): Promise<boolean> {
  const ended = started(work).then(() => true);
  return pTimeout(ended, { ...base(ms, timers), fallback: () => false });
}

/** An error that `work` throws at once is a rejection too. */
async function started<T>(work: () => T | PromiseLike<T>): Promise<T> {
  return work();
}

/** p-timeout refuses a deadline that has passed already; the work is begun all the same. */
function base(ms: number, timers: Timers | undefined) {
  const milliseconds = Math.max(ms, 1);
  if (timers === undefined) return { milliseconds };
  // Its types ask for the signatures of Node's own timers.
  return {
    milliseconds,
    customTimers: timers as { setTimeout: typeof setTimeout; clearTimeout: typeof clearTimeout },
  };
}
