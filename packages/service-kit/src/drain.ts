import { withDeadline } from '@novacron/async/deadline';
import type { Logger } from '@novacron/telemetry/logger';

/** The phases in their order. Readiness goes off before the first. */
export const DRAIN_PHASES = ['consumers', 'http', 'nats', 'telemetry', 'pools', 'ops'] as const;
export type DrainPhase = (typeof DRAIN_PHASES)[number];

/** Steps that still run after this time are abandoned. */
export const DRAIN_BOUND_MS = 15_000;

interface Step {
  readonly phase: DrainPhase;
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

/**
 * Shuts a process down. Code that builds a resource registers its end here, at once. The phases run in order. Within
 * a phase the steps run one after the other, in reverse order of their registration. The drain as a whole is bounded:
 * a step that fails or hangs is logged, and the next one runs.
 */
export class DrainCoordinator {
  readonly #steps: Step[] = [];
  readonly #began = new AbortController();
  #running: Promise<boolean> | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly boundMs: number = DRAIN_BOUND_MS,
  ) {}

  /** Fires when the drain begins: waits answer, streams close, and no new work begins. */
  get signal(): AbortSignal {
    return this.#began.signal;
  }

  /** `name` is for the log. A step that is added during the drain runs if its phase has not begun. */
  add(phase: DrainPhase, name: string, run: () => Promise<void> | void): void {
    this.#steps.push({ phase, name, run });
  }

  /** Runs every step once, even when called again. @returns whether every step succeeded in time */
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
    try {
      // Every step is at least started, even when no time is left.
      await withDeadline(step.run, Math.max(leftMs, 50), () => new Error('not done in time'));
      return true;
    } catch (error) {
      this.logger.error({ err: error, phase: step.phase, step: step.name }, 'drain step failed');
      return false;
    }
  }
}
