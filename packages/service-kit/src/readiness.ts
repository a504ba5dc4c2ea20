import { withDeadline } from '@novacron/async/deadline';
import { Periodic } from '@novacron/async/periodic';
import { observableGauge } from '@novacron/telemetry/metrics';
import type { Readiness as Report } from '@novacron/telemetry/ops';

const CHECK_BOUND_MS = 1_000;
const CACHED_MS = 1_000;
const REFRESH_MS = 5_000;

type Check = () => Promise<void> | void;

interface Dependency {
  readonly check: Check;
  /** Whether the process can serve requests without the dependency; called when its check has failed. */
  readonly servesWithout: () => boolean;
}

/** By dependency: 1 while its check fails. */
const failing = new Map<string, number>();
observableGauge('novacron_degraded', 'Whether the check of a dependency fails: 1, else 0', (observe) => {
  for (const [dependency, fails] of failing) observe(fails, { dependency });
});

/**
 * Whether this process can serve requests. During the start it reports the missing dependencies. Afterwards it checks
 * every dependency live, each within a second, and caches the result for a second. During the drain it is not ready.
 */
export class Readiness {
  readonly #checks = new Map<string, Dependency>();
  #servesAnyway = (): boolean => false;
  #graces: Readonly<Record<string, number>> = {};
  readonly #failsSince = new Map<string, number>();
  readonly #waiting = new Map<string, string>();
  #state: 'starting' | 'serving' | 'draining' = 'starting';
  #cached: { at: number; report: Promise<Report> } | undefined;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * `check` resolves when the dependency is usable, and throws the reason otherwise.
   * @param servesWithout whether the process can serve requests while the check fails; default never
   */
  add(name: string, check: Check, servesWithout: () => boolean = () => false): void {
    this.#checks.set(name, { check, servesWithout });
  }

  /**
   * A reason to be ready while dependencies are unavailable: caches that can answer.
   * @param graces by dependency, for how many milliseconds this compensates its loss; default without limit
   */
  serveWhile(servesAnyway: () => boolean, graces: Readonly<Record<string, number>> = {}): void {
    this.#servesAnyway = servesAnyway;
    this.#graces = graces;
  }

  /** Repeats the checks, so that `novacron_degraded` is current without readers of the report. @returns a function that stops it */
  keepFresh(): () => void {
    const checks = new Periodic(() => this.report(), { everyMs: REFRESH_MS });
    checks.start();
    return () => void checks.stop();
  }

  /** Reports a dependency that the start waits for, and why; `undefined` when it is available. */
  waitFor(name: string, reason: string | undefined): void {
    if (reason === undefined) this.#waiting.delete(name);
    else this.#waiting.set(name, reason);
    this.#cached = undefined;
  }

  serve(): void {
    this.#state = 'serving';
    this.#cached = undefined;
  }

  drain(): void {
    this.#state = 'draining';
    this.#cached = undefined;
  }

  report(): Promise<Report> {
    const now = this.now();
    if (this.#cached === undefined || now - this.#cached.at > CACHED_MS) {
      this.#cached = { at: now, report: this.#check() };
    }
    return this.#cached.report;
  }

  async #check(): Promise<Report> {
    const asked = [...this.#checks].map(async ([name, { check, servesWithout }]) => {
      const result = await outcome(check);
      failing.set(name, result.ok ? 0 : 1);
      if (result.ok) this.#failsSince.delete(name);
      else if (!this.#failsSince.has(name)) this.#failsSince.set(name, this.now());
      return { name, result, serves: result.ok || servesWithout() };
    });
    const answers = await Promise.all(asked);
    const waiting = [...this.#waiting].map(([name, detail]) => [name, { ok: false, detail }] as const);
    const checks: Record<string, { ok: boolean; detail?: string }> = Object.fromEntries([
      ...answers.map(({ name, result }) => [name, result] as const),
      ...waiting,
    ]);
    const serving = this.#state === 'serving';
    if (!serving) checks['process'] = { ok: false, detail: this.#state };
    const lacking = answers.filter((answer) => !answer.serves);
    const serves =
      lacking.length === 0 || (lacking.every(({ name }) => this.#isExcused(name)) && this.#servesAnyway());
    const ready = serving && waiting.length === 0 && serves;
    const whole = Object.values(checks).every(({ ok }) => ok);
    return { ready, status: ready ? (whole ? 'ok' : 'degraded') : 'unavailable', checks };
  }

  #isExcused(name: string): boolean {
    return this.now() - (this.#failsSince.get(name) ?? Infinity) < (this.#graces[name] ?? Infinity);
  }
}

async function outcome(check: Check): Promise<{ ok: boolean; detail?: string }> {
  try {
    await withDeadline(check, CHECK_BOUND_MS, () => new Error(`no answer within ${CHECK_BOUND_MS} ms`));
    return { ok: true };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
