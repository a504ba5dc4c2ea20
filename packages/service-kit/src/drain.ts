import type { Logger } from '@novacron/telemetry/logger';

/** In the order in which they run. Readiness goes first, by itself. */
export const DRAIN_PHASES = ['consumers', 'http', 'nats', 'telemetry', 'pools', 'ops'] as const;
export type DrainPhase = (typeof DRAIN_PHASES)[number];

/** What is still running after this long is left behind. */
export const DRAIN_BOUND_MS = 15_000;

interface Step {
  readonly phase: DrainPhase;
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

/**
 * The one place that shuts a process down. Whatever is built registers its own end here, at once; the phases
 * run in order, and within a phase the steps run in reverse of their registration, one after the other.
 * Bounded as a whole: a step that fails or hangs is logged and the next one runs.
 */
export class DrainCoordinator {
  readonly #steps: Step[] = [];
  readonly #began = new AbortController();
  #running: Promise<boolean> | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly boundMs: number = DRAIN_BOUND_MS,
  ) {}

  /** Fires when the drain begins: waits answer, streams close, nothing new is begun. */
  get signal(): AbortSignal {
    return this.#began.signal;
  }

  /** `name` is for the log. A step that is added while draining runs if its phase is still to come. */
  add(phase: DrainPhase, name: string, run: () => Promise<void> | void): void {
    this.#steps.push({ phase, name, run });
  }

  /** Runs everything once, however often it is called. @returns whether every step ended well and in time */
  run(): Promise<boolean> {
    this.#running ??= this.#drain();
    return this.#running;
  }

  async #drain(): Promise<boolean> {
    const startedAt = performance.now();
    this.logger.info('draining');
    this.#began.abort(new Error('the process is shutting down'));
    let clean = true;
    for (const phase of DRAIN_PHASES) {
      for (const step of this.#stepsOf(phase)) {
        const leftMs = this.boundMs - (performance.now() - startedAt);
        clean = (await this.#end(step, leftMs)) && clean;
      }
    }
    this.logger.info({ ms: Math.round(performance.now() - startedAt), clean }, 'drained');
    return clean;
  }

  #stepsOf(phase: DrainPhase): Step[] {
    return this.#steps.filter((step) => step.phase === phase).reverse();
  }

  async #end(step: Step, leftMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      // Also when no time is left every step is at least begun.
      timer = setTimeout(() => reject(new Error('not done in time')), Math.max(leftMs, 50));
    });
    try {
      await Promise.race([Promise.resolve().then(step.run), late]);
      return true;
    } catch (error) {
      this.logger.error({ err: error, phase: step.phase, step: step.name }, 'a drain step failed');
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
