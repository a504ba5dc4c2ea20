import { observableGauge } from '@novacron/telemetry/metrics';
import type { Readiness as Report } from '@novacron/telemetry/ops';

const CHECK_BOUND_MS = 1_000;
const CACHED_MS = 1_000;

type Check = () => Promise<void> | void;

interface Dependency {
  readonly check: Check;
  /** Whether the process serves something without the dependency, asked when its check has failed. */
  readonly servesWithout: () => boolean;
}

/** By dependency: 1 while its check fails. */
const failing = new Map<string, number>();
observableGauge('novacron_degraded', 'Whether the check of a dependency fails: 1, else 0', (observe) => {
  for (const [dependency, fails] of failing) observe(fails, { dependency });
});

/** Shows in `novacron_degraded` what a check found. */
export function showDegraded(dependency: string, isOk: boolean): void {
  failing.set(dependency, isOk ? 0 : 1);
}

/**
 * Whether this process can serve something. While it starts: what it waits for. Afterwards every dependency is asked,
 * live, each within a second, and an answer is good for a second. While it drains: no.
 */
export class Readiness {
  readonly #checks = new Map<string, Dependency>();
  #servesAnyway = (): boolean => false;
  readonly #waiting = new Map<string, string>();
  #state: 'starting' | 'serving' | 'draining' = 'starting';
  #cached: { at: number; report: Promise<Report> } | undefined;

  /**
   * `check` resolves when the dependency can be used, and throws the reason when not.
   * @param servesWithout whether the process serves something while the check fails; never, unless told
   */
  add(name: string, check: Check, servesWithout: () => boolean = () => false): void {
    this.#checks.set(name, { check, servesWithout });
  }

  /** Another reason to be ready, whichever dependencies are away: what caches can answer. */
  serveWhile(servesAnyway: () => boolean): void {
    this.#servesAnyway = servesAnyway;
  }

  /** What the start waits for, and why; `undefined` when it has come. */
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
    const now = performance.now();
    if (this.#cached === undefined || now - this.#cached.at > CACHED_MS) {
      this.#cached = { at: now, report: this.#ask() };
    }
    return this.#cached.report;
  }

  async #ask(): Promise<Report> {
    const asked = [...this.#checks].map(async ([name, { check, servesWithout }]) => {
      const result = await outcome(check);
      showDegraded(name, result.ok);
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
    const serves = answers.every((answer) => answer.serves) || this.#servesAnyway();
    const ready = serving && waiting.length === 0 && serves;
    const whole = Object.values(checks).every(({ ok }) => ok);
    return { ready, status: ready ? (whole ? 'ok' : 'degraded') : 'unavailable', checks };
  }
}

async function outcome(check: Check): Promise<{ ok: boolean; detail?: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_BOUND_MS} ms`)), CHECK_BOUND_MS);
  });
  try {
    await Promise.race([Promise.resolve().then(check), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
