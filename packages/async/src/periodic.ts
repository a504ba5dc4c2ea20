export interface PeriodicOptions {
  readonly everyMs: number;
  /** When the first run begins after `start`: at once, or after one interval. Default: after one interval. */
  readonly firstRun?: 'now' | 'later';
  /**
   * Receives the error of a run; the next run takes place at its time. Default: the error is unhandled and ends the
   * process, for tasks whose only errors are bugs.
   */
  readonly onError?: (error: unknown) => void;
}

/**
 * Runs a task at an interval. Two runs never overlap: a turn that comes while a run is under way is skipped. Its timer
 * does not keep the process alive.
 */
export class Periodic {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(
    private readonly task: () => unknown,
    private readonly options: PeriodicOptions,
  ) {}

  /** Whether it has been started and not stopped. */
  get active(): boolean {
    return this.#timer !== undefined;
  }

  /** Does nothing when it is active. */
  start(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => void this.run(), this.options.everyMs).unref();
    if (this.options.firstRun === 'now') void this.run();
  }

  /** Resolves when the run that is under way has ended. No other one begins; it may be started again. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /** Runs the task now, or joins the run that is under way. Never rejects when there is an `onError`. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      await this.task();
    } catch (error) {
      if (!this.options.onError) throw error;
      this.options.onError(error);
    }
  }
}
