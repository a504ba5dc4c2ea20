export interface SleepOptions {
  /** Ends the sleep early. */
  readonly signal?: AbortSignal | undefined;
  /** False: the timer does not keep the process alive. Default true. */
  readonly ref?: boolean;
}

/**
 * Resolves after `ms`. It uses the global timers, so the fake timers of Jest drive it.
 * @throws the signal's reason when the signal is aborted first
 */
export function sleep(ms: number, { signal, ref = true }: SleepOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (!ref) timer.unref();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Like {@link sleep}, but an abort resolves it: for loops that check the signal themselves. */
export function pause(ms: number, options: SleepOptions = {}): Promise<void> {
  return sleep(ms, options).catch(() => undefined);
}
