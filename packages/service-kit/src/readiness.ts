import { observableGauge } from '@novacron/telemetry/metrics';
import type { Readiness as Report } from '@novacron/telemetry/ops';

const CHECK_BOUND_MS = 1_000;
const CACHED_MS = 1_000;
const REFRESH_MS = 5_000;

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

/**
 * Whether this process can serve something. While it starts: what it waits for. Afterwards every dependency is asked,
 * live, each within a second, and an answer is good for a second. While it drains: no.
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
   * `check` resolves when the dependency can be used, and throws the reason when not.
   * @param servesWithout whether the process serves something while the check fails; never, unless told
   */
  add(name: string, check: Check, servesWithout: () => boolean = () => false): void {
    this.#checks.set(name, { check, servesWithout });
  }

  /**
   * Another reason to be ready, whichever dependencies are away: what caches can answer.
   * @param graces milliseconds, by dependency, after which its loss is no longer made up for; never, unless told
   */
  serveWhile(servesAnyway: () => boolean, graces: Readonly<Record<string, number>> = {}): void {
    this.#servesAnyway = servesAnyway;
    this.#graces = graces;
  }

  /** Asks again and again, so that `novacron_degraded` is right whether or not anybody asks for the report. @returns what ends it */
  keepFresh(): () => void {
    const timer = setInterval(() => void this.report(), REFRESH_MS).unref();
    return () => clearInterval(timer);
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
    const now = this.now();
    if (this.#cached === undefined || now - this.#cached.at > CACHED_MS) {
      this.#cached = { at: now, report: this.#ask() };
    }
    return this.#cached.report;
  }

  async #ask(): Promise<Report> {
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
